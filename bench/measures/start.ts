import { type Context, greet, type Row, requestText, rotated, rowOf, within } from "../context.ts";
import { median } from "../statistics.ts";
import type { System, Way } from "../systems.ts";

interface Start {
  readonly initializeMs: number;
  readonly toolsMs: number;
  readonly endMs: number;
}

/** One life of a bridge: spawn, initialize, tools/list, end. */
export async function startOnce(system: System, way: Way): Promise<Start> {
  const from = performance.now();
  const client = system.open(way);
  const initialized = await within(30_000, `${system.name} initialize`, greet(client));
  const { id, text } = requestText("tools/list", "{}");
  const listed = await within(30_000, `${system.name} tools/list`, client.ask(id, text));
  // Let what a start leaves to be done settle: the end of an idle bridge is measured.
  await Bun.sleep(100);
  const endMs = await client.end();
  return { initializeMs: initialized.at - from, toolsMs: listed.at - from, endMs };
}

/** Cold start and idle shutdown: medians of alternating starts. */
export async function measureStart({ systems, amounts, say }: Context): Promise<Row[]> {
  const children = systems.slice(1);
  const rows: Row[] = [];
  for (const way of ["json", "tls"] as const) {
    const starts = new Map<string, Start[]>(children.map(({ name }) => [name, []]));
    const notes: Record<string, string> = {};
    for (let round = 0; round < amounts.starts; round++) {
      for (const system of rotated(children, round)) {
        if (notes[system.name] !== undefined) continue;
        try {
          starts.get(system.name)!.push(await startOnce(system, way));
        } catch (error) {
          notes[system.name] = String((error as Error).message);
        }
      }
    }
    const wire = way === "tls" ? "https" : "http";
    const row = (id: string, title: string, pick: (start: Start) => number) =>
      rowOf(
        `${id}-${wire}`,
        `${title}, ${wire}`,
        "ms",
        children.map(({ name }) => {
          const samples = starts.get(name)!.map(pick);
          return [name, samples.length === 0 ? undefined : median(samples)] as const;
        }),
        notes,
      );
    rows.push(row("start", "spawn to the answer of initialize", (start) => start.initializeMs));
    rows.push(row("tools", "spawn to the answer of tools/list", (start) => start.toolsMs));
    rows.push(row("end", "end of input to end of process, idle", (start) => start.endMs));
    say(`start over ${wire} done`);
  }
  return rows;
}
