// What every measure is given, and what it gives back.
import type { Arrived, Client } from "./client.ts";
import type { System } from "./systems.ts";
import type { Tally } from "./tally.ts";
import type { Way } from "./ways.ts";

/** How much is measured: `quick` proves that everything runs, and its figures mean nothing. */
export interface Amounts {
  readonly starts: number;
  /** Calls before latency or throughput is measured: the compilers of both sides are done then. */
  readonly warmUpCalls: number;
  readonly latencyRounds: number;
  readonly callsPerRound: number;
  readonly slowCalls: number;
  readonly throughputRounds: number;
  readonly throughputCalls: number;
  readonly memoryRounds: number;
  /** Calls after which resident memory is read. */
  readonly memoryAfter: readonly number[];
  readonly floodRounds: number;
  readonly notifications: number;
  readonly resultMB: readonly number[];
  readonly requestMB: readonly number[];
  readonly largeRounds: number;
}

export interface Context {
  /** The direct client first. */
  readonly systems: readonly System[];
  readonly amounts: Amounts;
  /** What the server has seen, by path. */
  readonly tallies: () => Promise<Readonly<Record<string, Tally>>>;
  readonly say: (text: string) => void;
}

/** One line of the result: what was measured, by system; null where a system cannot do it. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly values: Record<string, number | null>;
  /** What a system failed at, by name; its value may stand beside that. */
  readonly notes: Record<string, string>;
}

// All ids are of one length, so that what is asked and answered differs in length by its content alone.
let lastId = 1_000_000;

/** A request of `method`; ids never repeat within the benchmark. */
export function requestText(method: string, params: string): { id: number; text: string } {
  const id = ++lastId;
  return { id, text: `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}` };
}

const initializeParams = JSON.stringify({
  protocolVersion: "2025-06-18",
  capabilities: {},
  clientInfo: { name: "bench", version: "1.0.0" },
});

/** Rejects after `ms`. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: nothing came in ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls the tool `name` and waits for its answer. */
export function call(client: Client, name: string, amount = 0, meta = ""): Promise<Arrived> {
  const params = `{"name":"${name}","arguments":{"amount":${amount}}${meta}}`;
  const { id, text } = requestText("tools/call", params);
  return client.ask(id, text);
}

/** Calls a tool that answers `pong`, and sees that it does. */
export async function ping(client: Client, name: "echo" | "wait" = "echo"): Promise<Arrived> {
  const answer = await call(client, name);
  if (!answer.head.includes('"text":"pong"')) throw new Error(`not an answer: ${answer.head}`);
  return answer;
}

/** `count` calls of `echo`, `inFlight` at a time. */
export async function callMany(client: Client, count: number, inFlight: number): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await ping(client);
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
}

/** The handshake every client does. */
export async function answerEarly(client: Client): Promise<Arrived> {
  const { id, text } = requestText("initialize", initializeParams);
  const answer = await client.ask(id, text);
  await client.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return answer;
}

/** A client that has shaken hands; ended where that fails. */
export async function openClient(system: System, way: Way): Promise<Client> {
  const client = system.open(way);
  try {
    await within(30_000, "initialize", answerEarly(client));
    return client;
  } catch (error) {
    await client.end();
    throw error;
  }
}

/** Gives `work` a client that has shaken hands, and ends it. */
export async function withClient<T>(
  system: System,
  way: Way,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(system, way);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
