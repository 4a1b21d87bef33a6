// What the server saw of the systems: how they behave, whatever their speed.
import type { Context, Row } from "./context.ts";
import { rowOf } from "./turns.ts";
import { pathOf, type Way } from "./ways.ts";

/** Of one system on one way. */
export interface Tally {
  readonly requests: number;
  /** Different sockets that brought requests; counted where the way is `crowd`. */
  readonly sockets: number;
  /** Sessions handed out, and how many of them a DELETE ended. */
  readonly sessions: number;
  readonly ended: number;
}

const patienceMs = 1000;

/** Share of their sessions that the bridges ended, over the given ways, in percent; whoever leaves one open is noted. */
export async function endedRow(
  { systems, tallies }: Context,
  methods: readonly Way[],
  id: string,
  title: string,
): Promise<Row> {
  const sums = async () => {
    const seen = await tallies();
    return systems.slice(1).map(({ name }) => {
      const own = methods.flatMap((way) => seen[pathOf(name, way)] ?? []);
      const sum = (key: "sessions" | "ended") => own.reduce((total, one) => total + one[key], 0);
      return { name, sessions: sum("sessions"), ended: sum("ended") };
    });
  };
  // A DELETE that left before its process ended may still be on its way.
  const from = performance.now();
  let found = await sums();
  while (
    found.some(({ sessions, ended }) => ended < sessions) &&
    performance.now() - from < patienceMs
  ) {
    await Bun.sleep(20);
    found = await sums();
  }
  const notes: Record<string, string> = {};
  for (const { name, sessions, ended } of found)
    if (ended < sessions) notes[name] = "it left sessions open, without a DELETE";
  const values = found.map(
    ({ name, sessions, ended }) =>
      [name, sessions === 0 ? undefined : (100 * ended) / sessions] as const,
  );
  return rowOf(id, title, "%", values, notes);
}
