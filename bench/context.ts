// What every measure is given, and what it gives back.
import type { Arrived, Client } from "./client.ts";
import type { System, Way } from "./systems.ts";

/** How much is measured: `quick` proves that everything runs, and its figures mean nothing. */
export interface Amounts {
  readonly starts: number;
  readonly latencyRounds: number;
  readonly callsPerRound: number;
  readonly slowCalls: number;
  readonly throughputRounds: number;
  readonly throughputCalls: number;
  /** Calls after which resident memory is read. */
  readonly memoryAfter: readonly number[];
  readonly notifications: number;
  readonly resultMB: readonly number[];
  readonly requestMB: readonly number[];
  readonly largeRounds: number;
}

export interface Context {
  /** The direct client first. */
  readonly systems: readonly System[];
  /** Base of the server's plain URL. */
  readonly serverUrl: string;
  readonly amounts: Amounts;
  readonly say: (text: string) => void;
}

/** One line of the result: what was measured, by system; null where a system cannot do it. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly values: Record<string, number | null>;
  /** What a reader must know, by system: a failure's reason, say. */
  readonly notes: Record<string, string>;
}

let lastId = 0;

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

/** The handshake every client does. */
export async function greet(client: Client): Promise<Arrived> {
  const { id, text } = requestText("initialize", initializeParams);
  const answer = await client.ask(id, text);
  await client.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return answer;
}

/** A client that has shaken hands; ended where that fails. */
export async function openClient(system: System, way: Way): Promise<Client> {
  const client = system.open(way);
  try {
    await within(30_000, `${system.name} initialize`, greet(client));
    return client;
  } catch (error) {
    await client.end();
    throw error;
  }
}

/** Runs `work` for a system; a failure becomes a note and null, and the others go on. */
export async function attempt<T>(
  system: System,
  notes: Record<string, string>,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    notes[system.name] = error instanceof Error ? error.message : String(error);
    return undefined;
  }
}

/** A row from what each system has. */
export function rowOf(
  id: string,
  title: string,
  unit: string,
  values: Iterable<readonly [string, number | undefined]>,
  notes: Record<string, string> = {},
): Row {
  const known = [...values].map(([name, value]) => [name, value ?? null] as const);
  return { id, title, unit, values: Object.fromEntries(known), notes };
}

/** The systems in another order each round, so that none always follows the same neighbour. */
export function rotated(systems: readonly System[], round: number): System[] {
  const at = round % systems.length;
  return [...systems.slice(at), ...systems.slice(0, at)];
}

/** `count` calls of `echo`, `inFlight` at a time. */
export async function callMany(client: Client, count: number, inFlight: number): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await call(client, "echo");
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
}
