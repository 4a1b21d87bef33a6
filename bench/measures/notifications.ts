import { call, ping, withClient, within } from "../calls.ts";
import type { Client } from "../client.ts";
import type { Context, Row } from "../context.ts";
import { peakMB, resetPeak, residentMemory } from "../process-facts.ts";
import { addFaults, rowOfTurns, takeTurns } from "../turns.ts";

interface Flood {
  readonly ms: number;
  /** Different notifications received. */
  readonly arrived: number;
  /** Notifications out of order or repeated. */
  readonly disordered: number;
  readonly afterResult: number;
  readonly growthMB: number | undefined;
}

/** One call during which the server sends a flood of progress notifications. */
export async function measureNotifications({ systems, amounts, say }: Context): Promise<Row[]> {
  const count = amounts.notifications;
  const turns = await takeTurns(systems, { rounds: amounts.floodRounds }, (system) =>
    withClient(system, "json", (client) => within(120_000, "the flood", floodOnce(client, count))),
  );
  addFaults(turns, ({ arrived, disordered, afterResult }) =>
    arrived === count && disordered === 0 && afterResult === 0
      ? undefined
      : `of ${count} notifications ${arrived} arrived, ${disordered} out of order or twice, ${afterResult} after the result`,
  );
  say("notifications: done");
  const sent = `${count.toLocaleString("en")} notifications`;
  const [least, most] = [
    (values: readonly number[]) => Math.min(...values),
    (values: readonly number[]) => Math.max(...values),
  ];
  return [
    rowOfTurns("flood-ms", `${sent} and their result`, "ms", turns, ({ ms }) => ms),
    rowOfTurns("flood-arrived", `${sent}: arrived`, "", turns, ({ arrived }) => arrived, least),
    rowOfTurns(
      "flood-disorder",
      `${sent}: out of order or twice`,
      "",
      turns,
      ({ disordered }) => disordered,
      most,
    ),
    rowOfTurns(
      "flood-late",
      `${sent}: after the result`,
      "",
      turns,
      ({ afterResult }) => afterResult,
      most,
    ),
    rowOfTurns("flood-growth", `${sent}: peak growth`, "MB", turns, ({ growthMB }) => growthMB),
  ];
}

async function floodOnce(client: Client, count: number): Promise<Flood> {
  const numbers = new Uint8Array(count + 1);
  let arrived = 0;
  let all = 0;
  let disordered = 0;
  let previous = 0;
  client.onOther = ({ head }) => {
    const progress = Number(/"progress":(\d+)/.exec(head)?.[1]);
    if (Number.isNaN(progress)) return;
    all++;
    if (numbers[progress] === 0) arrived++;
    numbers[progress] = 1;
    if (progress !== previous + 1) disordered++;
    previous = progress;
  };
  const { pid } = client;
  const before = pid === undefined ? undefined : (await residentMemory(pid)).rssMB;
  if (pid !== undefined) resetPeak(pid);
  const from = performance.now();
  const answer = await call(client, "progress", count, ',"_meta":{"progressToken":"flood"}');
  const early = all;
  const growthMB = pid === undefined || before === undefined ? undefined : peakMB(pid) - before;
  // Notifications sent after the result arrive before the next answer, or much later.
  await ping(client);
  if (arrived < count) await Bun.sleep(2000);
  return { ms: answer.at - from, arrived, disordered, afterResult: all - early, growthMB };
}
