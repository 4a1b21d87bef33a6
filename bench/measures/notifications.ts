import type { Client } from "../client.ts";
import { attempt, type Context, call, openClient, type Row, rowOf, within } from "../context.ts";
import { memory, peakMB, resetPeak } from "../process-facts.ts";

interface Flood {
  readonly ms: number;
  readonly arrived: number;
  readonly disordered: number;
  readonly afterResult: number;
  readonly growthMB: number | undefined;
}

/** One call during which the server sends a flood of progress notifications. */
export async function measureNotifications({ systems, amounts, say }: Context): Promise<Row[]> {
  const notes: Record<string, string> = {};
  const floods = new Map<string, Flood>();
  for (const system of systems) {
    const flood = await attempt(system, notes, async () => {
      const client = await openClient(system, "json");
      try {
        return await within(120_000, system.name, floodOnce(client, amounts.notifications));
      } finally {
        await client.end();
      }
    });
    if (flood !== undefined) floods.set(system.name, flood);
    say(`notifications through ${system.name}: done`);
  }
  const pick = (key: keyof Flood) =>
    [...floods].map(([name, flood]) => [name, flood[key]] as const);
  const sent = `${amounts.notifications} notifications`;
  return [
    rowOf("flood-ms", `${sent} and their result`, "ms", pick("ms"), notes),
    rowOf("flood-arrived", `${sent}: arrived`, "", pick("arrived"), notes),
    rowOf("flood-disorder", `${sent}: out of order`, "", pick("disordered"), notes),
    rowOf("flood-late", `${sent}: after the result`, "", pick("afterResult"), notes),
    rowOf("flood-growth", `${sent}: peak growth`, "MB", pick("growthMB").slice(1), notes),
  ];
}

async function floodOnce(client: Client, count: number): Promise<Flood> {
  let arrived = 0;
  let disordered = 0;
  let previous = 0;
  client.onOther = ({ head }) => {
    const progress = Number(/"progress":(\d+)/.exec(head)?.[1]);
    if (Number.isNaN(progress)) return;
    arrived++;
    if (progress < previous) disordered++;
    previous = progress;
  };
  const { pid } = client;
  const before = pid === undefined ? 0 : memory(pid).rssMB;
  if (pid !== undefined) resetPeak(pid);
  const from = performance.now();
  const answer = await call(client, "progress", count, ',"_meta":{"progressToken":"flood"}');
  const early = arrived;
  if (early < count) await Bun.sleep(2000);
  return {
    ms: answer.at - from,
    arrived,
    disordered,
    afterResult: arrived - early,
    growthMB: pid === undefined ? undefined : peakMB(pid) - before,
  };
}
