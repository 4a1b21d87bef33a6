import { callMany, withClient, within } from "../calls.ts";
import type { Context, Row } from "../context.ts";
import { cpuSeconds } from "../process-facts.ts";
import { rowOfTurns, takeTurns } from "../turns.ts";

const limitMs = 120_000;

/** Calls a second and CPU time at 1, 16, 64 and 256 in flight. */
export async function measureThroughput(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const inFlight of [1, 16, 64, 256]) {
    rows.push(...(await measureAt(context, inFlight)));
    context.say(`throughput at ${inFlight} in flight: done`);
  }
  return rows;
}

async function measureAt({ systems, amounts }: Context, inFlight: number): Promise<Row[]> {
  const { warmUpCalls, throughputCalls, throughputRounds } = amounts;
  const count = inFlight === 1 ? throughputCalls / 4 : throughputCalls;
  const turns = await takeTurns(systems, { rounds: throughputRounds }, (system) =>
    withClient(system, "json", async (client) => {
      const { pid } = client;
      await within(limitMs, "calls", callMany(client, warmUpCalls, inFlight));
      const cpuBefore = pid === undefined ? undefined : cpuSeconds(pid);
      const from = performance.now();
      await within(limitMs, "calls", callMany(client, count, inFlight));
      const rate = (count * 1000) / (performance.now() - from);
      if (pid === undefined || cpuBefore === undefined) return { rate, cpu: undefined };
      return { rate, cpu: ((cpuSeconds(pid) - cpuBefore) * 10_000) / count };
    }),
  );
  const label = `${inFlight} in flight`;
  return [
    rowOfTurns(`rate-${inFlight}`, `calls a second, ${label}`, "1/s", turns, ({ rate }) => rate),
    rowOfTurns(
      `cpu-${inFlight}`,
      `CPU time for 10,000 calls, ${label}`,
      "s",
      turns,
      ({ cpu }) => cpu,
    ),
  ];
}
