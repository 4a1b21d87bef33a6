// Requests that measures make of a client.
import type { Arrived, Client } from "./client.ts";
import type { Endpoint } from "./endpoints.ts";
import type { System } from "./systems.ts";

// All ids have the same length, so that messages differ in length by their content alone.
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

/** Waits for `work`; rejects after `ms`. */
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

/** Calls a tool that must answer `pong`. */
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

/** Sends initialize and notifications/initialized. */
export async function shakeHands(client: Client): Promise<Arrived> {
  const { id, text } = requestText("initialize", initializeParams);
  const answer = await client.ask(id, text);
  await client.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return answer;
}

/** Asks for the first page of the tools. */
export function listTools(client: Client): Promise<Arrived> {
  const { id, text } = requestText("tools/list", "{}");
  return within(30_000, "tools/list", client.ask(id, text));
}

/** Opens a client and shakes hands; ends the client where that fails. */
export async function openClient(system: System, endpoint: Endpoint): Promise<Client> {
  const client = system.open(endpoint);
  try {
    await within(30_000, "initialize", shakeHands(client));
    return client;
  } catch (error) {
    await client.end();
    throw error;
  }
}

/** Gives `work` a client that has shaken hands, then ends the client. */
export async function withClient<T>(
  system: System,
  endpoint: Endpoint,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(system, endpoint);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
