import type { Client } from "../client.ts";
import {
  attempt,
  type Context,
  call,
  openClient,
  type Row,
  requestText,
  rotated,
  rowOf,
  within,
} from "../context.ts";
import { memory, peakMB, resetPeak } from "../process-facts.ts";
import { median } from "../statistics.ts";
import type { System, Way } from "../systems.ts";
import { repeatedText } from "../text.ts";

const million = 1_000_000;

interface Passage {
  readonly ms: number;
  /** Peak of resident memory above what was resident before, as a multiple of the body. */
  readonly growth: number | undefined;
}

/** Results and requests of many megabytes: time, and how much memory they cost at most. */
export async function measureLarge(context: Context): Promise<Row[]> {
  const { amounts, say } = context;
  const rows: Row[] = [];
  for (const size of amounts.resultMB) {
    for (const way of ["json", "sse"] as const) {
      const words = way === "json" ? "JSON" : "one event";
      const ask = (client: Client) => call(client, "text", size * million);
      rows.push(
        ...(await measureBody(
          context,
          `result-${way}-${size}`,
          `${size} MB result, ${words}`,
          way,
          size,
          ask,
        )),
      );
      say(`${size} MB result, ${words}: done`);
    }
  }
  for (const size of amounts.requestMB) {
    const ask = (client: Client) => {
      const { id, text } = requestText("tools/call", '{"name":"swallow","arguments":{"text":"@"}}');
      const at = text.indexOf("@");
      const line = Buffer.allocUnsafe(text.length - 1 + size * million);
      line.write(text.slice(0, at), 0, "latin1");
      repeatedText(line.subarray(at, at + size * million));
      line.write(text.slice(at + 1), at + size * million, "latin1");
      return client.ask(id, line);
    };
    rows.push(
      ...(await measureBody(context, `request-${size}`, `${size} MB request`, "json", size, ask)),
    );
    say(`${size} MB request: done`);
  }
  return rows;
}

async function measureBody(
  { systems, amounts }: Context,
  id: string,
  title: string,
  way: Way,
  sizeMB: number,
  ask: (client: Client) => Promise<unknown>,
): Promise<Row[]> {
  const notes: Record<string, string> = {};
  const passages = new Map<string, Passage[]>(systems.map(({ name }) => [name, []]));
  // A hundred megabytes through a slow peer take minutes.
  const rounds = sizeMB >= 64 ? 1 : amounts.largeRounds;
  for (let round = 0; round < rounds; round++) {
    for (const system of rotated(systems, round)) {
      if (notes[system.name] !== undefined) continue;
      const passage = await attempt(system, notes, () => passOnce(system, way, sizeMB, ask));
      if (passage !== undefined) passages.get(system.name)!.push(passage);
    }
  }
  const pick = (key: keyof Passage) =>
    systems.map(({ name }) => {
      const values = passages.get(name)!.flatMap((passage) => passage[key] ?? []);
      return [name, values.length === 0 ? undefined : median(values)] as const;
    });
  return [
    rowOf(id, title, "ms", pick("ms"), notes),
    rowOf(`${id}-growth`, `${title}: peak growth`, "x", pick("growth").slice(1), notes),
  ];
}

async function passOnce(
  system: System,
  way: Way,
  sizeMB: number,
  ask: (client: Client) => Promise<unknown>,
): Promise<Passage> {
  const client = await openClient(system, way);
  try {
    await call(client, "echo");
    const { pid } = client;
    const before = pid === undefined ? 0 : memory(pid).rssMB;
    if (pid !== undefined) resetPeak(pid);
    const from = performance.now();
    await within(120_000, system.name, ask(client));
    const ms = performance.now() - from;
    return { ms, growth: pid === undefined ? undefined : (peakMB(pid) - before) / sizeMB };
  } finally {
    await client.end();
  }
}
