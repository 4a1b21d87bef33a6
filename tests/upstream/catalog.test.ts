import { expect, test } from "bun:test";
import { Memory } from "../../src/host/memory.ts";
import { CatalogUpstream } from "../../src/upstream/catalog.ts";
import { CatalogStore } from "../../src/upstream/catalog-store.ts";
import type { Deliver, Upstream } from "../../src/upstream/types.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { type Message, notificationOf, responseTo } from "../../src/wire/message.ts";
import { memoryLog, type RelayClient, relayClient } from "../support/client.ts";

const url = new URL("https://example.com/mcp");
const day = 24 * 60 * 60 * 1000;
const codex = { protocolVersion: "2025-06-18", capabilities: { elicitation: {} } };

/** A server whose answers the test decides, and may hold back. */
class Server implements Upstream {
  readonly seen: string[] = [];
  version = "1";
  tools = ["one"];
  /** Awaited before each answer. */
  ready: Promise<void> = Promise.resolve();
  failure: BridgeError | undefined;
  heard: Deliver | undefined;
  /** A method whose first message is never answered. */
  swallows: string | undefined;

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { method, id } = message.head;
    this.seen.push(method!);
    if (method === this.swallows) {
      this.swallows = undefined;
      return rejected(signal);
    }
    await Promise.race([this.ready, rejected(signal)]);
    if (this.failure !== undefined) throw this.failure;
    if (id === undefined) return;
    await deliver(responseTo(id, JSON.stringify(this.#result(message))));
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.heard = deliver;
    await rejected(signal).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.seen.push("close");
  }

  #result(message: Message): object {
    const { method } = message.head;
    if (method === "initialize")
      return { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { v: this.version } };
    if (method !== "tools/list") return {};
    const at = Number(message.value(["params", "cursor"]) ?? 0);
    const more = at + 1 < this.tools.length && { nextCursor: String(at + 1) };
    return { tools: [{ name: this.tools[at] }], ...more };
  }
}

function rejected(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

const never = new Promise<void>(() => undefined);

/** A server that takes everything and answers nothing. */
function silent(): Upstream {
  const server = new Server();
  server.ready = never;
  return server;
}

interface Setting {
  readonly memory: Memory;
  identity?: string;
  now?: number;
  timeoutMs?: number;
}

function start(
  server: Upstream,
  { memory, identity = "me", now = 0, timeoutMs = 60_000 }: Setting,
): RelayClient {
  const store = new CatalogStore(
    memory,
    () => identity,
    () => now,
  );
  const log = memoryLog();
  return relayClient(new CatalogUpstream({ next: server, store, log, name: "kb", timeoutMs }));
}

const remembering = () => new Memory(undefined, url, memoryLog());

async function shake(client: RelayClient, params: object = codex) {
  client.send({ id: 0, method: "initialize", params });
  const answer = await client.next();
  client.send({ method: "notifications/initialized" });
  return answer;
}

async function toolsOf(client: RelayClient, cursor?: string) {
  const params = cursor === undefined ? {} : { params: { cursor } };
  client.send({ id: 1, method: "tools/list", ...params });
  const { result, error } = await client.next();
  return error ?? result.tools.map(({ name }: { name: string }) => name);
}

/** A first run that fills the memory. */
async function filled(setting: Partial<Setting> = {}, server = new Server()): Promise<Memory> {
  const memory = setting.memory ?? remembering();
  const client = start(server, { ...setting, memory });
  await shake(client);
  await toolsOf(client);
  await client.end();
  return memory;
}

test("without a catalog initialize and tools/list are the server's own", async () => {
  const server = new Server();
  const client = start(server, { memory: remembering() });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
  expect(server.seen).toEqual(["initialize", "notifications/initialized", "tools/list"]);
});

test("with a catalog a server that does not answer is not waited for", async () => {
  const memory = await filled();
  const server = new Server();
  server.ready = never;
  const client = start(server, { memory });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
  expect(server.seen).toEqual(["initialize"]);
});

test("a server that answers in time is asked itself", async () => {
  const memory = await filled();
  const server = new Server();
  server.tools = ["two"];
  const client = start(server, { memory });
  await shake(client);
  expect(await toolsOf(client)).toEqual(["two"]);
  expect(client.rest).toEqual([]);
  const later = start(silent(), { memory });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["two"]);
});

test("what changed meanwhile is announced, once, and served at the next start", async () => {
  const memory = await filled();
  const server = new Server();
  const gate = Promise.withResolvers<void>();
  server.ready = gate.promise;
  server.tools = ["one, better"];
  const client = start(server, { memory });
  await shake(client);
  expect(await toolsOf(client)).toEqual(["one"]);
  gate.resolve();
  expect(await client.next()).toEqual({
    jsonrpc: "2.0",
    method: "notifications/tools/list_changed",
  });
  const later = start(silent(), { memory });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["one, better"]);
});

test("a call waits for the server behind the answered handshake, and gets there after initialized", async () => {
  const memory = await filled();
  const server = new Server();
  const gate = Promise.withResolvers<void>();
  server.ready = gate.promise;
  const client = start(server, { memory });
  await shake(client);
  client.send({ id: 7, method: "tools/call", params: { name: "one" } });
  gate.resolve();
  expect(await client.next()).toEqual({ jsonrpc: "2.0", id: 7, result: {} });
  expect(server.seen).toEqual(["initialize", "notifications/initialized", "tools/call"]);
});

test("a server that could not be reached at the start is reached by a later call", async () => {
  const memory = await filled();
  const server = new Server();
  server.failure = new BridgeError("connection-refused", "nothing listens");
  const client = start(server, { memory });
  await shake(client);
  client.send({ id: 7, method: "tools/call", params: { name: "one" } });
  expect((await client.next()).error.data.kind).toBe("connection-refused");
  expect(await toolsOf(client)).toEqual(["one"]);
  server.failure = undefined;
  client.send({ id: 8, method: "tools/call", params: { name: "one" } });
  expect((await client.next()).result).toEqual({});
  expect(server.seen.slice(-3)).toEqual(["initialize", "notifications/initialized", "tools/call"]);
});

test.each([
  ["initialize", ["initialize", "initialize", "notifications/initialized", "tools/call"]],
  [
    "notifications/initialized",
    ["initialize", "notifications/initialized", "notifications/initialized", "tools/call"],
  ],
])("a handshake whose %s is never answered is made anew by a later call", async (lost, seen) => {
  const memory = await filled();
  const server = new Server();
  server.swallows = lost;
  const client = start(server, { memory, timeoutMs: 50 });
  await shake(client);
  client.send({ id: 7, method: "tools/call", params: { name: "one" } });
  const { error } = await client.next();
  expect(error.data.kind).toBe("timeout");
  expect(error.message).toContain(`did not answer ${lost}`);
  client.send({ id: 8, method: "tools/call", params: { name: "one" } });
  expect((await client.next()).result).toEqual({});
  expect(server.seen).toEqual(seen);
});

test("pages that follow a page of the catalog come from the catalog too", async () => {
  const memory = remembering();
  const server = new Server();
  server.tools = ["one", "two"];
  const first = start(server, { memory });
  await shake(first);
  await toolsOf(first);
  expect(await toolsOf(first, "1")).toEqual(["two"]);
  const later = start(silent(), { memory });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["one"]);
  expect(await toolsOf(later, "1")).toEqual(["two"]);
});

test.each([
  ["another identity", { identity: "a colleague" }, codex],
  ["another revision", {}, { ...codex, protocolVersion: "2025-11-25" }],
  ["other capabilities", {}, { ...codex, capabilities: {} }],
])("%s does not see it", async (_, setting, params) => {
  const memory = await filled();
  const server = new Server();
  server.version = "2";
  const client = start(server, { memory, ...setting });
  expect((await shake(client, params)).result.serverInfo).toEqual({ v: "2" });
});

test("a catalog older than a week is not used while the server answers", async () => {
  const memory = await filled();
  const server = new Server();
  server.version = "2";
  const client = start(server, { memory, now: 8 * day });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "2" });
});

test("a catalog older than a week stands in for a server that is out of reach", async () => {
  const memory = await filled();
  const server = new Server();
  server.failure = new BridgeError("dns", "no such host");
  const client = start(server, { memory, now: 8 * day });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
});

test("an error of the server is passed on and never kept", async () => {
  const memory = remembering();
  const server = new Server();
  server.failure = new BridgeError("unauthorized", "no");
  const client = start(server, { memory });
  client.send({ id: 0, method: "initialize", params: codex });
  expect((await client.next()).error.data.kind).toBe("unauthorized");
  const later = start(new Server(), { memory });
  expect((await shake(later)).result.serverInfo).toEqual({ v: "1" });
});

test("what the server says by itself passes, before and after the client listens", async () => {
  const memory = await filled();
  const server = new Server();
  const client = start(server, { memory });
  await shake(client);
  await toolsOf(client);
  while (server.heard === undefined) await Bun.sleep(1);
  await server.heard(notificationOf("notifications/message", '{"data":1}'));
  expect((await client.next()).method).toBe("notifications/message");
});

test("a damaged memory is no catalog", async () => {
  for (const value of [1, { salt: 1 }, { salt: "s", entries: { a: { initialize: "{" } } }]) {
    const memory = remembering();
    memory.set("catalog", value);
    const server = new Server();
    expect((await shake(start(server, { memory }))).result.serverInfo).toEqual({ v: "1" });
  }
});

test("neither identity nor credential stands in what is kept", async () => {
  const memory = await filled({ identity: "secret-of-mine" });
  expect(JSON.stringify(memory.get("catalog"))).not.toContain("secret-of-mine");
});

test("a client whose capabilities are nested deep is served as any other", async () => {
  const depth = 200_000;
  const capabilities = `{"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const client = start(new Server(), { memory: remembering() });
  client.write(
    `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":${capabilities}}}\n`,
  );
  expect((await client.next()).result.serverInfo).toEqual({ v: "1" });
});
