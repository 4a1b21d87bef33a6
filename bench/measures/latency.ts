import type { Client } from "../client.ts";
import {
  attempt,
  type Context,
  call,
  openClient,
  type Row,
  rotated,
  rowOf,
  within,
} from "../context.ts";
import { median, quantile } from "../statistics.ts";
import type { Way } from "../systems.ts";

const titles: Record<Way, string> = {
  json: "JSON",
  sse: "event stream",
  tls: "TLS",
  slow: "server that takes 20 ms",
};

/** One call after the other, the systems taking turns; what a bridge adds is its quantile less that of the direct client. */
export async function measureLatency(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const way of ["json", "sse", "tls", "slow"] as const) {
    rows.push(...(await measureWay(context, way)));
    context.say(`latency, ${titles[way]}: done`);
  }
  return rows;
}

async function measureWay({ systems, amounts }: Context, way: Way): Promise<Row[]> {
  const notes: Record<string, string> = {};
  const clients = new Map<string, Client>();
  const samples = new Map<string, number[]>();
  for (const system of systems) {
    const client = await attempt(system, notes, () => openClient(system, way));
    if (client === undefined) continue;
    clients.set(system.name, client);
    samples.set(system.name, []);
  }
  const calls = way === "slow" ? amounts.slowCalls : amounts.callsPerRound;
  // The first round warms up and does not count.
  for (let round = 0; round <= amounts.latencyRounds; round++) {
    for (const system of rotated(systems, round)) {
      const client = clients.get(system.name);
      if (client === undefined) continue;
      const times = await attempt(system, notes, () =>
        within(60_000, system.name, timeCalls(client, calls)),
      );
      if (times === undefined) clients.delete(system.name);
      else if (round > 0) samples.get(system.name)!.push(...times);
    }
  }
  for (const client of clients.values()) await client.end();
  const direct = samples.get("direct")!;
  const names = systems.map(({ name }) => name);
  const children = names.slice(1);
  const of = (name: string, q: number) => {
    const times = samples.get(name);
    return times === undefined || times.length === 0 ? undefined : quantile(times, q);
  };
  const added = (q: number, label: string) =>
    rowOf(
      `added-${way}-p${q * 100}`,
      `added to a call ${label}, ${titles[way]}`,
      "us",
      children.map((name) => {
        const value = of(name, q);
        return [name, value === undefined ? undefined : (value - quantile(direct, q)) * 1000];
      }),
      notes,
    );
  return [
    added(0.5, "p50"),
    added(0.95, "p95"),
    added(0.99, "p99"),
    rowOf(
      `whole-${way}`,
      `whole call p50, ${titles[way]}`,
      "us",
      names.map((name) => [name, (of(name, 0.5) ?? Number.NaN) * 1000]),
      notes,
    ),
    rowOf(
      `ratio-${way}`,
      `whole call against direct, ${titles[way]}`,
      "x",
      children.map((name) => [name, (of(name, 0.5) ?? Number.NaN) / median(direct)]),
      notes,
    ),
  ];
}

async function timeCalls(client: Client, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    const answer = await call(client, "echo");
    times.push(answer.at - from);
  }
  return times;
}
