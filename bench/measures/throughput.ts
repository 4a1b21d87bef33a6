import {
  attempt,
  type Context,
  callMany,
  openClient,
  type Row,
  rotated,
  rowOf,
  within,
} from "../context.ts";
import { cpuSeconds } from "../process-facts.ts";
import { median } from "../statistics.ts";

const limitMs = 120_000;

/** Calls a second and CPU time at 1, 16, 64 and 256 in flight; sockets that the server saw at 256. */
export async function measureThroughput(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const inFlight of [1, 16, 64, 256]) {
    rows.push(...(await measureAt(context, inFlight)));
    context.say(`throughput at ${inFlight} in flight: done`);
  }
  return rows;
}

async function measureAt(
  { systems, amounts, serverUrl }: Context,
  inFlight: number,
): Promise<Row[]> {
  const notes: Record<string, string> = {};
  const rates = new Map<string, number[]>(systems.map(({ name }) => [name, []]));
  const cpu = new Map<string, number[]>(systems.map(({ name }) => [name, []]));
  const sockets = new Map<string, number>();
  const count = inFlight === 1 ? amounts.throughputCalls / 4 : amounts.throughputCalls;
  for (let round = 0; round < amounts.throughputRounds; round++) {
    for (const system of rotated(systems, round)) {
      if (notes[system.name] !== undefined) continue;
      await attempt(system, notes, async () => {
        const client = await openClient(system, "json");
        try {
          await within(limitMs, system.name, callMany(client, Math.min(500, count), inFlight));
          if (inFlight === 256 && round === 0) await fetch(`${serverUrl}/control?start`);
          const cpuBefore = client.pid === undefined ? 0 : cpuSeconds(client.pid);
          const from = performance.now();
          await within(limitMs, system.name, callMany(client, count, inFlight));
          rates.get(system.name)!.push((count * 1000) / (performance.now() - from));
          if (client.pid !== undefined)
            cpu.get(system.name)!.push(((cpuSeconds(client.pid) - cpuBefore) * 10_000) / count);
          if (inFlight === 256 && round === 0) {
            const { sockets: opened } = (await (await fetch(`${serverUrl}/control`)).json()) as {
              sockets: number;
            };
            sockets.set(system.name, opened);
          }
        } finally {
          await client.end();
        }
      });
    }
  }
  const middle = (all: Map<string, number[]>) =>
    systems.map(({ name }) => {
      const samples = all.get(name)!;
      return [name, samples.length === 0 ? undefined : median(samples)] as const;
    });
  return [
    rowOf(`rate-${inFlight}`, `calls a second, ${inFlight} in flight`, "1/s", middle(rates), notes),
    rowOf(
      `cpu-${inFlight}`,
      `CPU time for 10,000 calls, ${inFlight} in flight`,
      "s",
      middle(cpu).slice(1),
      notes,
    ),
    ...(inFlight === 256
      ? [rowOf("sockets", "sockets opened, 256 in flight", "", [...sockets], notes)]
      : []),
  ];
}
