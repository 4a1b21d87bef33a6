import { expect, test } from "bun:test";
import { BridgeError } from "../../../src/wire/errors.ts";
import {
  ages,
  type CatalogClient,
  day,
  filled,
  keptIn,
  Server,
  shake,
  silent,
  start,
  toolsOf,
} from "../../support/catalog.ts";

const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
/** A server that is not there within this is too slow. */
const times = { freshMs: 1, againMs: 1 };
const until = async (holds: () => boolean) => {
  while (!holds()) await Bun.sleep(1);
};

function withPages(...tools: string[]): Server {
  const server = new Server();
  server.tools = tools;
  return server;
}

/** A server that answers once it is told to. */
function slow(...tools: string[]) {
  const server = withPages(...tools);
  const gate = Promise.withResolvers<void>();
  server.ready = gate.promise;
  return { server, answers: gate.resolve };
}

async function begun(server: Server, cache: Awaited<ReturnType<typeof filled>>) {
  const client = start(server, { cache, times });
  await shake(client);
  return client;
}

async function allKept(cache: Awaited<ReturnType<typeof filled>>) {
  const client = start(silent(), { cache, times: { freshMs: 1 } });
  await shake(client);
  const [first, ...rest] = [await toolsOf(client), await toolsOf(client, "1")];
  return [...first, ...rest.flat()];
}

const callsTool = async (client: CatalogClient) => {
  client.send({ id: "call", method: "tools/call", params: { name: "one" } });
  for (;;) {
    const { id, result, error } = await client.next();
    if (id === "call") return error?.data.kind ?? result;
  }
};

test("after a page from the catalog every page is fetched; a change on a later page is announced and cached", async () => {
  const cache = await filled({}, withPages("one", "two", "three"));
  const { server, answers } = slow("one", "two", "three, better");
  const client = await begun(server, cache);
  expect(await toolsOf(client)).toEqual(["one"]);
  answers();
  expect(await client.next()).toEqual(changed);
  expect(server.seen.slice(2)).toEqual(["tools/list", "tools/list 1", "tools/list 2"]);
  const later = start(silent(), { cache, times });
  await shake(later);
  expect(await toolsOf(later)).toEqual(["one"]);
  expect(await toolsOf(later, "2")).toEqual(["three, better"]);
});

test("neither unchanged pages nor pages that the client never read are announced", async () => {
  const cache = await filled({}, withPages("one", "two"));
  const { server, answers } = slow("one", "two");
  const client = await begun(server, cache);
  await toolsOf(client);
  answers();
  await until(() => server.seen.includes("tools/list 1"));
  expect(await callsTool(client)).toEqual({});
  expect(client.rest).toEqual([]);
});

test("a list that changed on several pages is announced once", async () => {
  const cache = await filled({}, withPages("one", "two"));
  const { server, answers } = slow("eins", "zwei");
  const client = await begun(server, cache);
  await toolsOf(client);
  answers();
  expect(await client.next()).toEqual(changed);
  await until(() => server.seen.includes("tools/list 1"));
  expect(await callsTool(client)).toEqual({});
  expect(client.rest).toEqual([]);
  expect(await allKept(cache)).toEqual(["eins", "zwei"]);
});

test("a client that has read a list's first cached page gets the cached list to its end", async () => {
  const cache = await filled({}, withPages("one", "two"));
  const { server, answers } = slow("eins");
  const client = await begun(server, cache);
  expect(await toolsOf(client)).toEqual(["one"]);
  answers();
  expect(await client.next()).toEqual(changed);
  expect(await toolsOf(client, "1")).toEqual(["two"]);
  const patient = start(server, { cache });
  await shake(patient);
  expect(await toolsOf(patient)).toEqual(["eins"]);
});

test.each([
  ["a call", ages],
  ["nobody", 1],
])(
  "a server that was away at the start is asked for its lists once %s has reached it",
  async (_, againMs) => {
    const cache = await filled();
    const server = withPages("new");
    server.failure = new BridgeError("connection-refused", "nothing listens");
    const client = start(server, { cache, times: { ...times, againMs } });
    await shake(client);
    expect(await toolsOf(client)).toEqual(["one"]);
    server.failure = undefined;
    if (againMs > 1) client.send({ id: "call", method: "tools/call", params: { name: "one" } });
    const came = [await client.next(), ...(againMs > 1 ? [await client.next()] : [])];
    expect(came).toContainEqual(changed);
    expect(await keptIn(cache)).toEqual(["new"]);
  },
);

test("a list that the server could not give is asked for again", async () => {
  const cache = await filled();
  const server = withPages("new");
  server.failure = new BridgeError("server-error", "503");
  server.failing = "tools/list";
  const client = await begun(server, cache);
  expect(await toolsOf(client)).toEqual(["one"]);
  await until(() => server.seen.filter((method) => method === "tools/list").length > 2);
  server.failure = undefined;
  expect(await client.next()).toEqual(changed);
  expect(await keptIn(cache)).toEqual(["new"]);
});

test("the server's error to a list request reaches the client and is not cached", async () => {
  const cache = await filled();
  const server = new Server();
  server.refuses = "tools/list";
  const client = start(server, { cache });
  await shake(client);
  expect((await toolsOf(client)).message).toBe("refused");
  expect(await keptIn(cache)).toEqual(["one"]);
});

test("a list is answered by the server within freshMs, and by the catalog after it", async () => {
  const cache = await filled();
  const { server, answers } = slow("new");
  const patient = start(server, { cache, times: { freshMs: ages, staleMs: 0 } });
  await shake(patient);
  const asked = toolsOf(patient);
  await until(() => server.seen.includes("initialize"));
  // Longer than staleMs.
  await Bun.sleep(5);
  answers();
  expect(await asked).toEqual(["new"]);
  const far = { freshMs: 1, staleMs: ages, startMs: ages, againMs: ages };
  const hasty = start(silent(), { cache, times: far });
  await shake(hasty);
  expect(await toolsOf(hasty)).toEqual(["new"]);
});

/** A memory whose initialize is two days old, and its list eight. */
async function withOldList() {
  const cache = await filled();
  const client = start(new Server(), { cache, now: 6 * day });
  await shake(client);
  await callsTool(client);
  await client.end();
  return cache;
}

test("a list older than a week is not served while the server answers, even if initialize is newer", async () => {
  const cache = await withOldList();
  const { server, answers } = slow("new");
  const client = start(server, { cache, now: 8 * day, times: { freshMs: 0, staleMs: ages } });
  await shake(client);
  const asked = toolsOf(client);
  await until(() => server.seen.includes("initialize"));
  answers();
  expect(await asked).toEqual(["new"]);
});

test.each([
  ["out of reach", new BridgeError("dns", "no such host"), ages, ["one"]],
  ["silent for staleMs", undefined, 1, ["one"]],
  ["there, and refuses", new BridgeError("unauthorized", "no"), ages, "unauthorized"],
])(
  "a list that is older than a week stands in for a server that is %s",
  async (_, failure, staleMs, expected) => {
    const cache = await withOldList();
    const server = failure === undefined ? silent() : new Server();
    server.failure = failure;
    const client = start(server, { cache, now: 8 * day, times: { freshMs: ages, staleMs } });
    await shake(client);
    const found = await toolsOf(client);
    expect(found.data?.kind ?? found).toEqual(expected);
  },
);

test("another credential never gets answers that were cached for the previous one", async () => {
  const cache = await filled();
  let identity = "me";
  const server = withPages("a colleague's");
  const client = start(server, { cache, identity: () => identity, times: { freshMs: ages } });
  await shake(client);
  await until(() => server.seen.includes("notifications/initialized"));
  identity = "a colleague";
  client.catalog.doubt();
  expect(await toolsOf(client)).toEqual(["a colleague's"]);
  expect(await keptIn(cache)).toEqual(["one"]);
  expect(await keptIn(cache, { identity })).toBeUndefined();
});

test("a list cached for one credential is not served if the credential changes during the wait", async () => {
  const cache = await filled();
  let identity = "me";
  const { server, answers } = slow("a colleague's");
  const client = start(server, { cache, identity: () => identity, times: { freshMs: 20 } });
  await shake(client);
  const asked = toolsOf(client);
  await until(() => server.seen.includes("initialize"));
  identity = "a colleague";
  client.catalog.doubt();
  // Longer than the kept one would wait.
  await Bun.sleep(30);
  answers();
  expect(await asked).toEqual(["a colleague's"]);
});

test("another handshake ends the background work of the previous one", async () => {
  const cache = await filled();
  const first = slow("new");
  const client = await begun(first.server, cache);
  await toolsOf(client);
  const shaken = shake(client, { protocolVersion: "2025-03-26", capabilities: {} });
  await until(() => first.server.seen.length > 1);
  first.answers();
  await shaken;
  expect(await callsTool(client)).toEqual({});
  expect(client.rest).toEqual([]);
  expect(first.server.seen).not.toContain("tools/list");
});

test("a cursor that leads back to an earlier page ends the background fetch", async () => {
  const cache = await filled({}, withPages("one", "two"));
  const server = withPages("one", "two");
  const client = await begun(server, cache);
  // Each page of this server names the first cursor again.
  server.nextCursor = "1";
  const { resolve, promise } = Promise.withResolvers<void>();
  server.ready = promise;
  expect(await toolsOf(client)).toEqual(["one"]);
  resolve();
  await callsTool(client);
  await until(() => server.seen.filter((one) => one === "tools/list 1").length === 1);
  await callsTool(client);
  await callsTool(client);
  expect(server.seen.filter((one) => one === "tools/list 1")).toHaveLength(1);
  await client.end();
});

test("with listsFirstMs, a fresh list is answered before the server is asked; a change is announced, and the next list is the server's", async () => {
  const cache = await filled({}, withPages("old"));
  const server = withPages("new");
  const client = start(server, { cache, times: { freshMs: ages, listsFirstMs: 20 } });
  await shake(client);
  expect(await toolsOf(client)).toEqual(["old"]);
  expect(await client.next()).toEqual(changed);
  expect(await toolsOf(client)).toEqual(["new"]);
});
