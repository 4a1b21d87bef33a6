// Whether the bridges end their sessions.
import type { Context, Row } from "./context.ts";
import { type Endpoint, pathOf } from "./endpoints.ts";
import { rowOf } from "./turns.ts";

const deleteArrivalMs = 1000;

/** Percentage of its sessions that each bridge ended, at the given endpoints. A bridge that leaves one open gets a note. */
export async function endedRow(
  { systems, tallies }: Context,
  endpoints: readonly Endpoint[],
  id: string,
  title: string,
): Promise<Row> {
  const sums = async () => {
    const seen = await tallies();
    return systems.slice(1).map(({ name }) => {
      const own = endpoints.flatMap((endpoint) => seen[pathOf(name, endpoint)] ?? []);
      const sum = (key: "sessions" | "ended") => own.reduce((total, one) => total + one[key], 0);
      return { name, sessions: sum("sessions"), ended: sum("ended") };
    });
  };
  // A DELETE sent by a process that has ended may not have arrived yet.
  const from = performance.now();
  let found = await sums();
  while (
    found.some(({ sessions, ended }) => ended < sessions) &&
    performance.now() - from < deleteArrivalMs
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
