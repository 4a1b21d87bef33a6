import { expect, test } from "bun:test";
import { usualTimes } from "../../../src/upstream/catalog/catalog.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { notificationOf } from "../../../src/wire/message.ts";
import {
  ages,
  codex,
  day,
  filled,
  remembering,
  Server,
  shake,
  silent,
  start,
  toolsOf,
} from "../../support/catalog.ts";

test("without a catalog initialize and tools/list are the server's own", async () => {
  const server = new Server();
  const client = start(server, { cache: remembering() });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
  expect(server.seen).toEqual(["initialize", "notifications/initialized", "tools/list"]);
});

test("with a catalog a server that does not answer is not waited for", async () => {
  const cache = await filled();
  const server = silent();
  const client = start(server, { cache });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
  expect(server.seen).toEqual(["initialize"]);
});

test("a server that answers in time is asked itself", async () => {
  const cache = await filled();
  const server = new Server();
  server.tools = ["two"];
  const client = start(server, { cache });
  await shake(client);
  expect(await toolsOf(client)).toEqual(["two"]);
  expect(client.rest).toEqual([]);
  const later = start(silent(), { cache });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["two"]);
});

test("a changed list is announced once, and served at the next start", async () => {
  const cache = await filled();
  const server = new Server();
  const gate = Promise.withResolvers<void>();
  server.ready = gate.promise;
  server.tools = ["one, better"];
  const client = start(server, { cache });
  await shake(client);
  expect(await toolsOf(client)).toEqual(["one"]);
  gate.resolve();
  expect(await client.next()).toEqual({
    jsonrpc: "2.0",
    method: "notifications/tools/list_changed",
  });
  const later = start(silent(), { cache });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["one, better"]);
});

test("after a handshake from the catalog, a call waits for the server and arrives after initialized", async () => {
  const cache = await filled();
  const server = new Server();
  const gate = Promise.withResolvers<void>();
  server.ready = gate.promise;
  const client = start(server, { cache });
  await shake(client);
  client.send({ id: 7, method: "tools/call", params: { name: "one" } });
  gate.resolve();
  expect(await client.next()).toEqual({ jsonrpc: "2.0", id: 7, result: {} });
  expect(server.seen).toEqual(["initialize", "notifications/initialized", "tools/call"]);
});

test("the early answer stays valid whatever is cached by now; the next handshake is an ordinary one", async () => {
  const server = new Server();
  server.failure = new BridgeError("unreachable", "down");
  const earlyAnswer = { result: '{"protocolVersion":"2025-06-18"}', savedAt: 0 };
  const client = start(server, { cache: remembering(), earlyAnswer, now: ages });
  expect((await shake(client)).result).toEqual({ protocolVersion: "2025-06-18" });
  client.send({ id: 1, method: "tools/call" });
  expect((await client.next()).error.data.kind).toBe("unreachable");
  // The attempt that nobody waits for has failed, too; the handshake is made anew.
  await new Promise(setImmediate);
  server.failure = undefined;
  client.send({ id: 2, method: "tools/call" });
  expect((await client.next()).result).toEqual({});
  expect(server.seen.slice(-3)).toEqual(["initialize", "notifications/initialized", "tools/call"]);
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
});

test("a later call connects to a server that could not be reached at the start", async () => {
  const cache = await filled();
  const server = new Server();
  server.failure = new BridgeError("connection-refused", "nothing listens");
  const client = start(server, { cache });
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
])("a later call repeats a handshake whose %s got no answer", async (lost, seen) => {
  const cache = await filled();
  const server = new Server();
  server.swallows = lost;
  const client = start(server, { cache, timeoutMs: 50 });
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
  const cache = remembering();
  const server = new Server();
  server.tools = ["one", "two"];
  const first = start(server, { cache });
  await shake(first);
  await toolsOf(first);
  expect(await toolsOf(first, "1")).toEqual(["two"]);
  const later = start(silent(), { cache });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["one"]);
  expect(await toolsOf(later, "1")).toEqual(["two"]);
});

test.each([
  ["another identity", { identity: "a colleague" }, codex],
  ["another revision", {}, { ...codex, protocolVersion: "2025-11-25" }],
  ["other capabilities", {}, { ...codex, capabilities: {} }],
])("%s does not see it", async (_, setting, params) => {
  const cache = await filled();
  const server = new Server();
  server.version = "2";
  const client = start(server, { cache, ...setting });
  expect((await shake(client, params)).result.serverInfo).toEqual({ v: "2" });
});

test("a catalog older than a week is not used while the server answers", async () => {
  const cache = await filled();
  const server = new Server();
  server.version = "2";
  const client = start(server, { cache, now: 8 * day });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "2" });
});

test("a catalog older than a week is used if the server is out of reach", async () => {
  const cache = await filled();
  const server = new Server();
  server.failure = new BridgeError("dns", "no such host");
  const client = start(server, { cache, now: 8 * day });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
});

test("an error of the server is passed on and never cached", async () => {
  const cache = remembering();
  const server = new Server();
  server.failure = new BridgeError("unauthorized", "no");
  const client = start(server, { cache });
  client.send({ id: 0, method: "initialize", params: codex });
  expect((await client.next()).error.data.kind).toBe("unauthorized");
  const later = start(new Server(), { cache });
  expect((await shake(later)).result.serverInfo).toEqual({ v: "1" });
});

test("the server's own messages pass, before and after the client listens", async () => {
  const cache = await filled();
  const server = new Server();
  const client = start(server, { cache });
  await shake(client);
  await toolsOf(client);
  while (server.onResponseHeaders === undefined) await Bun.sleep(1);
  await server.onResponseHeaders(notificationOf("notifications/message", '{"data":1}'));
  expect((await client.next()).method).toBe("notifications/message");
});

test("a damaged cache file holds no catalog", async () => {
  for (const value of [1, { salt: 1 }, { salt: "s", entries: { a: { initialize: "{" } } }]) {
    const cache = remembering();
    cache.set("catalog", value);
    const server = new Server();
    expect((await shake(start(server, { cache }))).result.serverInfo).toEqual({ v: "1" });
  }
});

test("the cache file holds neither identity nor credential", async () => {
  const cache = await filled({ identity: "secret-of-mine" });
  expect(JSON.stringify(cache.get("catalog"))).not.toContain("secret-of-mine");
});

test("a client whose capabilities are nested deep is served as any other", async () => {
  const depth = 200_000;
  const capabilities = `{"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const client = start(new Server(), { cache: remembering() });
  client.write(
    `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":${capabilities}}}\n`,
  );
  expect((await client.next()).result.serverInfo).toEqual({ v: "1" });
});

test("the times of a start stay below those of Codex", () => {
  const { listsFirstMs, ...waits } = usualTimes;
  expect(waits).toEqual({ startMs: 25_000, staleMs: 5_000, freshMs: 300, againMs: 5_000 });
  expect(listsFirstMs).toBe(0);
});

/** Every time but these is too long for a test. */
const only = (times: Partial<typeof usualTimes>) => ({
  startMs: ages,
  staleMs: ages,
  freshMs: ages,
  againMs: ages,
  listsFirstMs: 0,
  ...times,
});

test.each([true, false])(
  "without a catalog (which may answer: %p) a start that the server does not answer ends in startMs",
  async (mayAnswer) => {
    const times = only({ startMs: 20 });
    const client = start(silent(), { cache: remembering(), mayAnswer, times });
    const { error } = await shake(client);
    expect(error.message).toStartWith('"kb" did not answer initialize within 0.02 s');
    const server = new Server();
    server.swallows = "tools/list";
    const later = start(server, { cache: remembering(), mayAnswer, times });
    await shake(later);
    expect((await toolsOf(later)).message).toContain("did not answer tools/list within 0.02 s");
  },
);

test("a tools/list that is not cached waits up to startMs, even if the catalog has answered initialize", async () => {
  const cache = remembering();
  const first = start(new Server(), { cache });
  await shake(first);
  await first.end();
  const client = start(silent(), { cache, times: only({ startMs: 20 }) });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect((await toolsOf(client)).message).toContain("did not answer tools/list within 0.02 s");
});

test("a start ends before the deadline of its call", async () => {
  const client = start(silent(), { cache: remembering(), timeoutMs: 100 });
  expect((await shake(client)).error.message).toContain("did not answer initialize within 0.09 s");
});

test("a catalog older than a week is used if the server is silent for staleMs", async () => {
  const cache = await filled();
  const client = start(silent(), { cache, now: 8 * day, times: only({ staleMs: 1, freshMs: 1 }) });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "1" });
  expect(await toolsOf(client)).toEqual(["one"]);
});

test("with mayAnswer false the catalog is filled, and keeps entries that the server does not replace", async () => {
  const cache = await filled();
  const server = new Server();
  server.version = "2";
  server.failure = new BridgeError("server-error", "500");
  server.failing = "tools/list";
  const client = start(server, { cache, mayAnswer: false });
  expect((await shake(client)).result.serverInfo).toEqual({ v: "2" });
  expect((await toolsOf(client)).data.kind).toBe("server-error");
  const later = start(silent(), { cache, times: { freshMs: 1 } });
  expect((await shake(later)).result.serverInfo).toEqual({ v: "2" });
  expect(await toolsOf(later)).toEqual(["one"]);
});
