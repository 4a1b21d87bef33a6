import {
  attempt,
  type Context,
  callMany,
  openClient,
  type Row,
  rowOf,
  within,
} from "../context.ts";
import { memory } from "../process-facts.ts";

/** Resident and private memory, idle and after many calls (16 in flight). */
export async function measureMemory({ systems, amounts, say }: Context): Promise<Row[]> {
  const notes: Record<string, string> = {};
  const idle = new Map<string, { rssMB: number; privateMB: number }>();
  const grown = new Map<number, Map<string, number>>(
    amounts.memoryAfter.map((calls) => [calls, new Map()]),
  );
  for (const system of systems.slice(1)) {
    await attempt(system, notes, async () => {
      // A fresh executable whose pages are not yet on disk counts them as private dirty memory.
      await Bun.spawn(["sync"]).exited;
      const client = await openClient(system, "json");
      try {
        await Bun.sleep(1000);
        idle.set(system.name, memory(client.pid!));
        let done = 0;
        for (const calls of amounts.memoryAfter) {
          await within(240_000, system.name, callMany(client, calls - done, 16));
          done = calls;
          await Bun.sleep(1000);
          grown.get(calls)!.set(system.name, memory(client.pid!).rssMB);
        }
      } finally {
        await client.end();
      }
    });
    say(`memory of ${system.name}: done`);
  }
  const pick = (key: "rssMB" | "privateMB") =>
    [...idle].map(([name, found]) => [name, found[key]] as const);
  return [
    rowOf("rss-idle", "resident memory, idle", "MB", pick("rssMB"), notes),
    rowOf("private-idle", "private memory, idle", "MB", pick("privateMB"), notes),
    ...[...grown].map(([calls, found]) =>
      rowOf(`rss-${calls}`, `resident memory after ${calls} calls`, "MB", [...found], notes),
    ),
  ];
}
