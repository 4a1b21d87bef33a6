import { callMany, openClient, ping, within } from "../calls.ts";
import type { Client } from "../client.ts";
import type { Context, Row } from "../context.ts";
import type { Endpoint } from "../endpoints.ts";
import { median, noise, quantile } from "../statistics.ts";
import { rowOf, takeTurns } from "../turns.ts";

interface Kind {
  readonly id: string;
  readonly title: string;
  readonly endpoint: Endpoint;
  readonly tool: "echo" | "wait";
}

const kinds: readonly Kind[] = [
  { id: "json", title: "JSON", endpoint: "json", tool: "echo" },
  { id: "sse", title: "event stream", endpoint: "sse", tool: "echo" },
  { id: "tls", title: "TLS", endpoint: "tls", tool: "echo" },
  { id: "slow", title: "server that takes 20 ms", endpoint: "json", tool: "wait" },
];

/** Sequential calls, the systems in turns. A bridge adds its quantile minus that of the direct client. */
export async function measureLatency(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of kinds) {
    rows.push(...(await measureKind(context, kind)));
    context.say(`latency, ${kind.title}: done`);
  }
  return rows;
}

async function measureKind({ systems, amounts }: Context, kind: Kind): Promise<Row[]> {
  const { id, title, endpoint, tool } = kind;
  const clients = new Map<string, Client>();
  const calls = tool === "wait" ? amounts.slowCalls : amounts.callsPerRound;
  const { samples, notes } = await takeTurns(
    systems,
    { rounds: amounts.latencyRounds, warmsUp: true },
    async (system, isWarmUp) => {
      if (!isWarmUp)
        return within(60_000, "calls", timeCalls(clients.get(system.name)!, tool, calls));
      const client = await openClient(system, endpoint);
      clients.set(system.name, client);
      await within(120_000, "calls", callMany(client, amounts.warmUpCalls, 1));
      return [];
    },
  );
  for (const client of clients.values()) await client.end();
  const [direct, ...children] = [...samples].map(([name, rounds]) => ({
    name,
    times: rounds.flat(),
  }));
  const added = (q: number) =>
    rowOf(
      `added-${id}-p${q * 100}`,
      `added to a call p${q * 100}, ${title} (direct: its own noise)`,
      "us",
      [
        [direct!.name, noise(samples.get(direct!.name)!, q) * 1000] as const,
        ...children.map(
          ({ name, times }) =>
            [name, (quantile(times, q) - quantile(direct!.times, q)) * 1000] as const,
        ),
      ],
      notes,
    );
  return [
    added(0.5),
    added(0.95),
    added(0.99),
    rowOf(
      `whole-${id}`,
      `whole call p50, ${title}`,
      "us",
      [direct!, ...children].map(({ name, times }) => [name, median(times) * 1000]),
      notes,
    ),
    rowOf(
      `ratio-${id}`,
      `whole call against direct, ${title}`,
      "x",
      children.map(({ name, times }) => [name, median(times) / median(direct!.times)]),
      notes,
    ),
  ];
}

async function timeCalls(client: Client, tool: Kind["tool"], count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    const answer = await ping(client, tool);
    times.push(answer.at - from);
  }
  return times;
}
