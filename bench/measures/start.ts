import { listTools, shakeHands, within } from "../calls.ts";
import { killedAfterMs } from "../client.ts";
import type { Context, Row } from "../context.ts";
import { endedRow } from "../ended-sessions.ts";
import type { Endpoint } from "../endpoints.ts";
import type { System } from "../systems.ts";
import { rowOfTurns, takeTurns } from "../turns.ts";

interface Start {
  readonly initializeMs: number;
  readonly toolsMs: number;
  readonly endMs: number;
}

/** One run of a bridge: spawn, initialize, tools/list, end. */
export async function startOnce(system: System, endpoint: Endpoint): Promise<Start> {
  const from = performance.now();
  const client = system.open(endpoint);
  const initialized = await within(30_000, "initialize", shakeHands(client));
  const listed = await listTools(client);
  // Waits until the work after a start is done: the measure is the end of an idle bridge.
  await Bun.sleep(100);
  const endMs = await client.end();
  if (endMs >= killedAfterMs) throw new Error("it did not end with its input");
  return { initializeMs: initialized.at - from, toolsMs: listed.at - from, endMs };
}

/** Cold start, shutdown when idle, and the DELETE of the session. */
export async function measureStart(context: Context): Promise<Row[]> {
  const { systems, amounts, say } = context;
  const rows: Row[] = [];
  for (const endpoint of ["json", "tls"] as const) {
    // The first round fills the catalog and the page cache of the executables.
    const turns = await takeTurns(
      systems.slice(1),
      { rounds: amounts.starts, warmsUp: true },
      (system) => startOnce(system, endpoint),
    );
    const wire = endpoint === "tls" ? "https" : "http";
    const row = (id: string, title: string, pick: (start: Start) => number) =>
      rowOfTurns(`${id}-${wire}`, `${title}, ${wire}`, "ms", turns, pick);
    const catalog = "(bridge: with a catalog)";
    rows.push(
      row("start", `spawn to the answer of initialize ${catalog}`, (start) => start.initializeMs),
      row("tools", `spawn to the answer of tools/list ${catalog}`, (start) => start.toolsMs),
      row("end", "end of input to end of process, idle", (start) => start.endMs),
      await endedRow(
        context,
        [endpoint],
        `ended-${wire}`,
        `idle sessions that a DELETE ended, ${wire}`,
      ),
    );
    say(`start over ${wire}: done`);
  }
  return rows;
}
