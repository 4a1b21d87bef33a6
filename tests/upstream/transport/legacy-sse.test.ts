import { expect, test } from "bun:test";
import { FaultServer } from "../../fault/support/server.ts";
import { serveHttp } from "../../support/serve-http.ts";
import { type SseBody as Body, SseServer } from "../../support/sse-server.ts";
import { chainClient } from "../../support/whole-chain.ts";

const echo = ({ id, params }: Body) =>
  id === undefined ? undefined : { id, result: params ?? {} };

test.each(["auto", "sse"] as const)(
  "requests are posted where the server says, answers come over its stream (%s)",
  async (transport) => {
    const server = new SseServer({ respond: echo });
    const client = chainClient(server.url, { transport });
    expect((await client.start()).result.protocolVersion).toBe("2024-11-05");
    expect((await client.call("x/y", { a: 1 })).at(-1).result).toEqual({ a: 1 });
    expect(client.cache.get("transport")).toBe(transport === "auto" ? "sse" : undefined);
    expect(server.posts.map(({ method }) => method)).toEqual([
      ...["initialize", "notifications/initialized", "x/y"],
    ]);
    await client.upstream.close(100);
  },
);

test.each([400, 403, 404, 405, 409, 411, 418, 422, 426, 501])(
  "a server of HTTP+SSE that answers %d to a POST to its stream's URL is found, and remembered",
  async (postStatus) => {
    const server = new SseServer({ respond: echo, postStatus });
    const client = chainClient(server.url);
    expect((await client.start()).result.protocolVersion).toBe("2024-11-05");
    expect((await client.call("x/y", { a: 1 })).at(-1).result).toEqual({ a: 1 });
    expect(client.cache.get("transport")).toBe("sse");
    await client.upstream.close(100);
  },
);

test("the server's own messages and questions reach the client, whose answers are posted", async () => {
  const answered = Promise.withResolvers<Body>();
  const server = new SseServer({
    respond: (body) => {
      if (body.method === undefined) answered.resolve(body);
      return echo(body);
    },
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  await client.call("ping");
  server.say({ method: "notifications/tools/list_changed" });
  server.say({ id: "q", method: "roots/list" });
  expect((await client.next()).method).toBe("notifications/tools/list_changed");
  const { id, method } = await client.next();
  expect(method).toBe("roots/list");
  client.send({ id, result: { roots: [] } });
  expect((await answered.promise).id).toBe("q");
});

test("a message URL on another origin is refused: the credential would go there", async () => {
  const server = new SseServer({ respond: echo, place: () => "https://elsewhere.example/message" });
  const client = chainClient(server.url, { transport: "sse" });
  const { error } = await client.start();
  expect(error.code).toBe(1451);
  expect(error.message).toContain("another origin");
  expect(server.posts).toEqual([]);
});

test("when the stream ends, waiting calls get outcome-unknown and a new session begins", async () => {
  const server = new SseServer({
    respond: (body, self) => {
      if (body.method !== "x/drop") return echo(body);
      self.drop();
      return undefined;
    },
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  expect((await client.call("x/drop")).at(-1).error.code).toBe(1504);
  expect((await client.call("x/y", { b: 2 })).at(-1).result).toEqual({ b: 2 });
  expect(server.streams).toBe(2);
  expect(server.posts.filter(({ method }) => method === "initialize")).toHaveLength(2);
});

test("a stream that ends while no call waits is opened again for the server's own messages", async () => {
  const server = new SseServer({ respond: echo });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  await client.call("ping");
  server.drop();
  while (server.posts.filter(({ method }) => method === "notifications/initialized").length < 2)
    await Bun.sleep(1);
  server.say({ method: "notifications/message" });
  expect((await client.next()).method).toBe("notifications/message");
});

test("a cancelled call is told to the server", async () => {
  const told = Promise.withResolvers<Body>();
  const asked = Promise.withResolvers<void>();
  const server = new SseServer({
    respond: (body) => {
      if (body.method === "notifications/cancelled") told.resolve(body);
      if (body.method === "x/slow") asked.resolve();
      return body.method === "x/slow" ? undefined : echo(body);
    },
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  client.send({ id: "c", method: "x/slow" });
  await asked.promise;
  client.send({ method: "notifications/cancelled", params: { requestId: "c", reason: "r" } });
  expect((await told.promise).params).toEqual({ requestId: "c", reason: "r" });
});

test.each<[string, () => Response, number]>([
  ["answers 500", () => new Response("broken", { status: 500 }), 1500],
  ["answers a page", () => new Response("<p>", { headers: { "content-type": "text/html" } }), 1502],
  [
    "ends its stream at once",
    () => new Response("", { headers: { "content-type": "text/event-stream" } }),
    1502,
  ],
])("the error for a server that %s says so", async (_, answer, code) => {
  const client = chainClient(serveHttp(answer), { transport: "sse" });
  expect((await client.start()).error.code).toBe(code);
});

test("the server's messages that come before listen() are kept until then", async () => {
  const early = [
    { id: "r", method: "roots/list" },
    { method: "notifications/message", params: { level: "info", data: "hi" } },
  ];
  const server = new SseServer({
    respond: (body, self) => {
      // In one piece with the answer to initialize, and long before anybody can listen.
      if (body.method === "x/first") self.say({ id: body.id, result: {} }, ...early);
      return body.method === "x/first" ? undefined : echo(body);
    },
  });
  const client = chainClient(server.url, { transport: "sse" });
  client.send({ id: "i", method: "initialize", params: {} });
  expect((await client.next()).id).toBe("i");
  client.send({ id: "f", method: "x/first" });
  expect((await client.next()).id).toBe("f");
  client.send({ method: "notifications/initialized" });
  const came = [await client.next(), await client.next()];
  expect(came.map(({ method }) => method)).toEqual(early.map(({ method }) => method));
});

test.each([
  ["one by one", false],
  ["as a batch", true],
])("each request of a batch gets its answer, told %s", async (_, isBatched) => {
  const server = new SseServer({
    protocolVersion: "2025-03-26",
    respond: (body, self) => {
      if (!Array.isArray(body)) return echo(body);
      const answers = body.map(({ id }) => ({ jsonrpc: "2.0", id, result: { of: id } }));
      if (isBatched) self.say(answers);
      else self.say(...answers.reverse());
      return undefined;
    },
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start({}, "2025-03-26");
  const part = (id: string) => ({ jsonrpc: "2.0", id, method: "x/y" });
  client.write(`${JSON.stringify([part("a"), part("b")])}\n`);
  const came = [await client.next(), await client.next()];
  expect(came.map(({ id, result }) => [id, result.of]).sort()).toEqual([
    ["a", "a"],
    ["b", "b"],
  ]);
});

test("an answer inside a batch is found", async () => {
  const server = new SseServer({
    respond: ({ id }, self) => {
      if (id !== undefined) self.say([{ jsonrpc: "2.0", id, result: { a: 1 } }]);
      return undefined;
    },
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  expect((await client.call("x/y")).at(-1).result).toEqual({ a: 1 });
});

test.each([
  ["tools/call", 3],
  ["logging/setLevel", 3],
  ["resources/read", 0],
])(
  "%s is posted on %d new connections where the server may be closing the old ones",
  async (method, fresh) => {
    const headers = { "Keep-Alive": "timeout=1" };
    using server = new FaultServer({ speaks: "sse", headers }).start();
    const client = chainClient(new URL(server.url), { transport: "sse" });
    await client.start();
    await client.call("resources/read");
    const before = server.connections.length;
    for (let n = 0; n < 3; n++) await client.call(method, { name: "n" });
    expect(server.connections.length - before).toBe(fresh);
    await client.upstream.close(100);
  },
);

test("an error that names no request reaches the only call that waits, in the server's words", async () => {
  const error = { code: -32000, message: "the quota is used up" };
  const server = new SseServer({
    respond: (body) => (body.method === "x/y" ? { id: null, error } : echo(body)),
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  expect((await client.call("x/y")).at(-1)).toMatchObject({ error });
});

test("a request of the server stops the deadline of the call under way, if that is the only one", async () => {
  const server = new SseServer({
    respond: (body) => (body.method === "tools/call" ? undefined : echo(body)),
  });
  const client = chainClient(server.url, { transport: "sse", timeoutMs: 300 });
  await client.start();
  await client.call("ping");
  client.send({ id: "call", method: "tools/call", params: { name: "t" } });
  while (!server.posts.some(({ method }) => method === "tools/call")) await Bun.sleep(1);
  server.say({ id: "q", method: "elicitation/create", params: {} });
  const asked = await client.next();
  expect(asked.method).toBe("elicitation/create");
  // A call with the same deadline that begins now ends before this one.
  const other = chainClient(new SseServer({ respond: () => undefined }).url, {
    transport: "sse",
    timeoutMs: 300,
  });
  await other.start();
  expect((await other.call("x/y")).at(-1).error.data.kind).toBe("timeout");
  expect(client.rest).toEqual([]);
  client.send({ id: asked.id, result: { action: "decline" } });
  expect((await client.next()).error.data.kind).toBe("timeout");
});
