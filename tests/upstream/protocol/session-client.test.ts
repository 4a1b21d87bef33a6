import { expect, test } from "bun:test";
import { events, jsonRpc, noInitialize, serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

interface Body {
  readonly id: number | string;
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly params: any;
}

const discovered = {
  supportedVersions: ["2026-07-28"],
  capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
  _meta: { "io.modelcontextprotocol/serverInfo": { name: "m", version: "9" } },
};

/** A server of the stateless protocol alone: texts of its requests, and `answer` for all but discovery. */
function serveStateless(
  answer: (body: Body, text: string) => Response,
  result: object = discovered,
) {
  const texts: string[] = [];
  const url = serveHttp(async (request) => {
    const text = await request.text();
    const body = JSON.parse(text) as Body;
    if (body.method === "initialize") return noInitialize(body.id);
    if (body.method === "server/discover") return jsonRpc({ id: body.id, result });
    texts.push(text);
    return answer(body, text);
  });
  return { url, texts };
}

const done = ({ id }: Body) => jsonRpc({ id, result: { resultType: "complete" } });

test.each([
  ["2024-11-05", "2024-11-05"],
  ["2025-03-26", "2025-03-26"],
  ["2025-11-25", "2025-11-25"],
  ["1999-01-01", "2025-11-25"],
])(
  "a client that asks for %s is answered %s, with what the server said of itself",
  async (asked, version) => {
    const { url } = serveStateless(done);
    expect((await chainClient(url).start({}, asked)).result).toEqual({
      protocolVersion: version,
      capabilities: discovered.capabilities,
      serverInfo: { name: "m", version: "9" },
    });
  },
);

test("a client that sets no log level gets log messages of level info, as a session server would send them", async () => {
  const level = 'logLevel":"info"';
  for (const capabilities of [{ logging: {} }, {}]) {
    const { url, texts } = serveStateless(done, { ...discovered, capabilities });
    const client = chainClient(url);
    await client.start();
    await client.call("a/b");
    expect(texts[0]!.includes(level)).toBe("logging" in capabilities);
    await client.call("logging/setLevel", { level: "error" });
    await client.call("a/b");
    expect(texts[1]).toContain('logLevel":"error"');
  }
});

test("requests carry the client's identity and keep their own bytes and _meta", async () => {
  const { url, texts } = serveStateless(done);
  const client = chainClient(url);
  await client.start({ roots: {} });
  client.write(
    '{"jsonrpc":"2.0","id":"x","method":"a/b","params":{"n":12345678901234567890, "_meta":{"progressToken":1}}}\n',
  );
  await client.line();
  client.write('{"jsonrpc":"2.0","id":"y","method":"a/b"}\n');
  await client.line();
  const meta =
    '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"chain","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/logLevel":"info"';
  expect(texts).toEqual([
    `{"jsonrpc":"2.0","id":"x","method":"a/b","params":{"n":12345678901234567890, "_meta":{${meta},"progressToken":1}}}`,
    `{"jsonrpc":"2.0","id":"y","method":"a/b","params":{"_meta":{${meta}}}}`,
  ]);
});

test("requests that the stateless protocol no longer has are answered by the bridge, useless notifications are dropped", async () => {
  const { url, texts } = serveStateless(done);
  const client = chainClient(url);
  await client.start();
  expect((await client.call("ping")).at(-1).result).toEqual({});
  expect((await client.call("logging/setLevel", { level: "debug" })).at(-1).result).toEqual({});
  client.send({ method: "notifications/roots/list_changed" });
  client.send({ method: "notifications/progress", params: { progressToken: 1, progress: 1 } });
  client.send({ method: "notifications/custom", params: { a: 1 } });
  await client.call("tools/list");
  const sent = texts.map((text) => JSON.parse(text) as Body);
  expect(sent.map(({ method }) => method).sort()).toEqual(["notifications/custom", "tools/list"]);
  for (const { params } of sent)
    expect(params._meta["io.modelcontextprotocol/logLevel"]).toBe("debug");
});

test("batches of a client of 2025-03-26 are sent one by one", async () => {
  const { url, texts } = serveStateless(done);
  const client = chainClient(url);
  await client.start({}, "2025-03-26");
  const part = (id: string) => ({ jsonrpc: "2.0", id, method: "x/y" });
  client.write(
    `${JSON.stringify([part("a"), { jsonrpc: "2.0", method: "notifications/n" }, part("b")])}\n`,
  );
  const ids = [(await client.next()).id, (await client.next()).id];
  expect(ids.sort()).toEqual(["a", "b"]);
  expect(texts).toHaveLength(3);
});

const state = '"\\u00e9\\/ {\\"a\\":1e400}"';
const wants = (id: unknown, inputRequests: string, withState = true) =>
  new Response(
    `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"resultType":"input_required","inputRequests":${inputRequests}${withState ? `,"requestState":${state}` : ""}}}`,
    { headers: { "content-type": "application/json" } },
  );

test("input requests go to the client, and the call is sent again with the answers and the state byte for byte", async () => {
  const inputRequests =
    '{"e":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}},"s":{"method":"sampling/createMessage","params":{"n":12345678901234567890}},"r":{"method":"roots/list"}}';
  const { url, texts } = serveStateless((body) =>
    body.params.inputResponses === undefined
      ? wants(body.id, inputRequests)
      : events({ method: "notifications/progress" }, { id: body.id, result: { ok: true } }),
  );
  const client = chainClient(url);
  await client.start({ elicitation: {}, sampling: {}, roots: {} });
  client.send({ id: "c", method: "tools/call", params: { name: "t", arguments: { a: 1 } } });
  for (let left = 3; left > 0; left--) {
    const line = await client.line();
    const { id, method } = JSON.parse(line);
    if (method === "sampling/createMessage") expect(line).toContain("12345678901234567890");
    client.write(
      `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"from":"${method}","n":1.0}}\n`,
    );
  }
  expect((await client.next()).method).toBe("notifications/progress");
  expect(await client.next()).toEqual({ jsonrpc: "2.0", id: "c", result: { ok: true } });
  const [first, second] = texts as [string, string];
  expect(second).toContain(`"requestState":${state}`);
  expect(second).toContain('"from":"roots/list","n":1.0');
  const [one, two] = [JSON.parse(first) as Body, JSON.parse(second) as Body];
  expect(two.id).not.toBe(one.id);
  expect(two.params.arguments).toEqual({ a: 1 });
  expect(Object.keys(two.params.inputResponses).sort()).toEqual(["e", "r", "s"]);
});

test("a result without a state is answered without one, and an error of the client cancels an elicitation", async () => {
  const asks =
    '{"e":{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://x.example"}}}';
  const { url, texts } = serveStateless((body) =>
    body.params.inputResponses === undefined ? wants(body.id, asks, false) : done(body),
  );
  const client = chainClient(url);
  await client.start({ elicitation: { url: {} } });
  client.send({ id: "c", method: "tools/call", params: { name: "t" } });
  const question = await client.next();
  expect(question.params.elicitationId).toBeString();
  client.send({ id: question.id, error: { code: -32603, message: "no" } });
  expect((await client.next()).result).toEqual({ resultType: "complete" });
  const { params } = JSON.parse(texts[1]!) as Body;
  expect(params.inputResponses).toEqual({ e: { action: "cancel" } });
  expect("requestState" in params).toBe(false);
});

test.each([
  ["sampling/createMessage", 1451],
  ["something/else", 1451],
])("an input request that the client cannot answer (%s) ends the call", async (method, code) => {
  const { url } = serveStateless((body) => wants(body.id, JSON.stringify({ q: { method } })));
  const client = chainClient(url);
  await client.start({});
  const { error } = (await client.call("tools/call", { name: "t" })).at(-1);
  expect(error.code).toBe(code);
  expect(error.message).toContain(method);
});

test("an elicitation that the client does not support is answered with cancel", async () => {
  const asks = '{"e":{"method":"elicitation/create","params":{"message":"m"}}}';
  const { url, texts } = serveStateless((body) =>
    body.params.inputResponses === undefined ? wants(body.id, asks) : done(body),
  );
  const client = chainClient(url);
  await client.start({});
  await client.call("tools/call", { name: "t" });
  expect((JSON.parse(texts[1]!) as Body).params.inputResponses).toEqual({
    e: { action: "cancel" },
  });
});

test("a result with a state but no input requests makes the request go out again with the state", async () => {
  const { url, texts } = serveStateless((body) =>
    body.params.requestState === undefined ? wants(body.id, "{}") : done(body),
  );
  const client = chainClient(url);
  await client.start({});
  expect((await client.call("tools/call", { name: "t" })).at(-1).result.resultType).toBe(
    "complete",
  );
  expect(texts).toHaveLength(2);
});

test("a server without subscriptions is not asked again", async () => {
  const { url, texts } = serveStateless(
    ({ id }) => jsonRpc({ id, error: { code: -32601, message: "no" } }, 404),
    { ...discovered, capabilities: { tools: { listChanged: true } } },
  );
  const client = chainClient(url);
  await client.start();
  while (!client.events.some((one) => one.startsWith("not listening"))) await Bun.sleep(1);
  expect(texts).toHaveLength(1);
});

test("a listening stream that breaks is opened again; subscriptions go with it", async () => {
  const asked: object[] = [];
  const { url } = serveStateless((body) => {
    if (body.method !== "subscriptions/listen") return done(body);
    asked.push(body.params.notifications);
    return events(
      { method: "notifications/subscriptions/acknowledged" },
      { method: "notifications/x" },
    );
  });
  const client = chainClient(url);
  await client.start();
  const uri = "a:b";
  client.send({ id: "s", method: "resources/subscribe", params: { uri } });
  const came = [await client.next(), await client.next(), await client.next()];
  expect(came.filter(({ method }) => method === "notifications/x").length).toBe(2);
  client.send({ id: "u", method: "resources/unsubscribe", params: { uri } });
  while ((await client.next()).id !== "u");
  expect(asked[0]).toEqual({ resourceSubscriptions: [uri] });
});
