import { callMany, withClient, within } from "../calls.ts";
import type { Context, Row } from "../context.ts";
import { residentMemory } from "../process-facts.ts";
import { rowOfTurns, takeTurns } from "../turns.ts";

/** Resident and private memory, idle and after many calls (16 in flight). */
export async function measureMemory({ systems, amounts, say }: Context): Promise<Row[]> {
  const { memoryAfter, memoryRounds } = amounts;
  const turns = await takeTurns(systems.slice(1), { rounds: memoryRounds }, (system) =>
    withClient(system, "json", async (client) => {
      await Bun.sleep(1000);
      const idle = await residentMemory(client.pid!);
      const grown: number[] = [];
      let done = 0;
      for (const calls of memoryAfter) {
        await within(240_000, "calls", callMany(client, calls - done, 16));
        done = calls;
        await Bun.sleep(1000);
        grown.push((await residentMemory(client.pid!)).rssMB);
      }
      say(`memory of ${system.name}: done`);
      return { idle, grown };
    }),
  );
  return [
    rowOfTurns("rss-idle", "resident memory, idle", "MB", turns, ({ idle }) => idle.rssMB),
    rowOfTurns("private-idle", "private memory, idle", "MB", turns, ({ idle }) => idle.privateMB),
    ...memoryAfter.map((calls, i) =>
      rowOfTurns(
        `rss-${calls}`,
        `resident memory after ${calls.toLocaleString("en")} calls`,
        "MB",
        turns,
        ({ grown }) => grown[i],
      ),
    ),
  ];
}
