import { expect, test } from "bun:test";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { StatelessClientAdapter } from "../../../src/upstream/protocol/stateless-client.ts";
import { type Message, requestOf } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";
import { handUpstream } from "../../support/hand-upstream.ts";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

const _meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "stateless-client", version: "2" },
  "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
};

interface Body {
  readonly id?: number | string;
  readonly method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly params?: any;
  readonly result?: unknown;
  readonly error?: unknown;
}

const say = (message: object) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
const eventStream = (body: ReadableStream) =>
  new Response(body, { headers: { "content-type": "text/event-stream" } });

/** A server of the session protocol alone; `ask` is a tool that asks the client in the middle, `slow` one that never ends. */
function serveLegacy() {
  const seen: Body[] = [];
  const answered = Promise.withResolvers<Body>();
  const listening = Promise.withResolvers<ReadableStreamDefaultController>();
  const url = serveHttp(async (request) => {
    if (request.method === "GET")
      return eventStream(new ReadableStream({ start: (one) => listening.resolve(one) }));
    const body = (await request.json()) as Body;
    const { id, method } = body;
    if (method === "server/discover")
      return jsonRpc({ id: null, error: { code: -32000, message: "Server not initialized" } }, 400);
    seen.push(body);
    if (method === undefined) answered.resolve(body);
    if (id === undefined || method === undefined) return new Response(null, { status: 202 });
    const name = body.params?.name;
    if (method === "initialize") {
      const serverInfo = { name: "old", version: "1" };
      const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
      const result = { protocolVersion: "2025-11-25", capabilities, serverInfo, instructions: "i" };
      return jsonRpc({ id, result });
    }
    if (method === "tools/list") return jsonRpc({ id, result: { tools: [] } });
    if (name === "fail") return jsonRpc({ id, error: { code: -32602, message: "no" } });
    if (name === "slow")
      return eventStream(new ReadableStream({ start: (one) => one.enqueue(":\n\n") }));
    if (name !== "ask") return jsonRpc({ id, result: { content: [] } });
    const start = async (controller: ReadableStreamDefaultController) => {
      controller.enqueue(say({ method: "notifications/progress", params: { progressToken: 1 } }));
      controller.enqueue(say({ id: "q", method: "elicitation/create", params: { message: "m" } }));
      const { result, error } = await answered.promise;
      controller.enqueue(say({ id, result: { content: [], told: result ?? error } }));
      controller.close();
    };
    return eventStream(new ReadableStream({ start }));
  });
  return { url, seen, listening: listening.promise };
}

test("a server that is silent on server/discover is served by the session protocol, and the client gets its answer in time", async () => {
  const { upstream, next, answer } = handUpstream();
  const adapter = new StatelessClientAdapter({
    next: upstream,
    probe: upstream,
    remembered: () => undefined,
    timeoutMs: 60_000,
    answersDiscovery: false,
    probeMs: 1,
    name: "s",
    log: memoryLog(),
    ids: new RequestIds(),
    now: () => 0,
  });
  const answers: Message[] = [];
  const asked = requestOf("1", "server/discover", JSON.stringify({ _meta }));
  const { signal } = new AbortController();
  const sent = adapter.send(asked, async (one) => void answers.push(one), signal);
  const probe = await next();
  expect(probe.message.head.method).toBe("server/discover");
  const initialize = await next();
  expect(initialize.message.head.method).toBe("initialize");
  await answer(initialize, '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}');
  await answer(await next());
  await sent;
  expect(answers).toHaveLength(1);
  expect(answers[0]!.value(["id"])).toBe(1);
  expect(answers[0]!.value(["result", "capabilities"])).toEqual({ tools: {} });
  expect(probe.signal.aborted).toBe(true);
  await adapter.close(0);
});

test("a stateless request to a session server makes the handshake, and its result has the members of the stateless protocol", async () => {
  const { url, seen } = serveLegacy();
  const client = chainClient(url);
  const listed = (await client.call("tools/list", { _meta })).at(-1);
  expect(listed.result).toEqual({
    tools: [],
    resultType: "complete",
    ttlMs: 0,
    cacheScope: "private",
  });
  const called = (await client.call("tools/call", { name: "x", _meta })).at(-1);
  expect(called.result).toEqual({ content: [], resultType: "complete" });
  const failed = (await client.call("tools/call", { name: "fail", _meta })).at(-1);
  expect(failed.error).toEqual({ code: -32602, message: "no" });
  expect(seen.map(({ method }) => method)).toEqual([
    ...["initialize", "notifications/initialized", "tools/list", "tools/call", "tools/call"],
  ]);
  expect(seen[0]!.params).toEqual({
    protocolVersion: "2025-11-25",
    capabilities: { elicitation: {} },
    clientInfo: { name: "stateless-client", version: "2" },
  });
  expect(client.cache.get("transport")).toBe("streamable-http");
});

test("server/discover passes to the server, so that the client may fall back; later the bridge answers it", async () => {
  const { url } = serveLegacy();
  const client = chainClient(url);
  expect((await client.call("server/discover", { _meta })).at(-1).error.code).toBe(-32000);
  await client.call("tools/list", { _meta });
  expect((await client.call("server/discover", { _meta })).at(-1).result).toEqual({
    resultType: "complete",
    ttlMs: 0,
    cacheScope: "private",
    supportedVersions: ["2026-07-28"],
    capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
    instructions: "i",
    _meta: { "io.modelcontextprotocol/serverInfo": { name: "old", version: "1" } },
  });
});

test("a request of the server in mid-call becomes an input_required result, and the answer goes back into the call", async () => {
  const { url, seen } = serveLegacy();
  const client = chainClient(url, { remembered: "streamable-http" });
  const asked = await client.call("tools/call", { name: "ask", _meta });
  expect(asked[0].method).toBe("notifications/progress");
  const { inputRequests, requestState, resultType } = asked.at(-1).result;
  expect(resultType).toBe("input_required");
  const [key, question] = Object.entries(inputRequests)[0]!;
  expect(question).toEqual({ method: "elicitation/create", params: { message: "m" } });
  const inputResponses = { [key]: { action: "accept", content: { a: 1 } } };
  const answer = await client.call("tools/call", {
    name: "ask",
    inputResponses,
    requestState,
    _meta,
  });
  expect(answer.at(-1).result).toEqual({
    content: [],
    told: { action: "accept", content: { a: 1 } },
    resultType: "complete",
  });
  expect(seen.filter(({ method }) => method === "tools/call")).toHaveLength(1);
  expect(seen.at(-1)).toMatchObject({ id: "q" });
});

test("a next request without an answer sends the server an error", async () => {
  const { url } = serveLegacy();
  const client = chainClient(url, { remembered: "streamable-http" });
  const { requestState } = (await client.call("tools/call", { name: "ask", _meta })).at(-1).result;
  const answer = await client.call("tools/call", { name: "ask", requestState, _meta });
  expect(answer.at(-1).result.told.message).toBe("the client returned no answer to this request");
});

test("a cancelled call is cancelled at the server", async () => {
  const { url, seen } = serveLegacy();
  const client = chainClient(url, { remembered: "streamable-http" });
  client.send({ id: "c", method: "tools/call", params: { name: "slow", _meta } });
  while (!seen.some(({ method }) => method === "tools/call")) await Bun.sleep(1);
  client.send({ method: "notifications/cancelled", params: { requestId: "c" } });
  while (!seen.some(({ method }) => method === "notifications/cancelled")) await Bun.sleep(1);
  expect(seen.at(-1)!.params.requestId).toBe("c");
});

test("a subscription gets the notifications in its filter, with its subscription id", async () => {
  const { url, seen, listening } = serveLegacy();
  const client = chainClient(url, { remembered: "streamable-http" });
  const uri = "a:b";
  const notifications = { toolsListChanged: true, resourceSubscriptions: [uri] };
  client.send({ id: "l", method: "subscriptions/listen", params: { notifications, _meta } });
  const mark = { "io.modelcontextprotocol/subscriptionId": "l" };
  expect(await client.next()).toEqual({
    jsonrpc: "2.0",
    method: "notifications/subscriptions/acknowledged",
    params: { notifications, _meta: mark },
  });
  const stream = await listening;
  stream.enqueue(say({ method: "notifications/prompts/list_changed" }));
  stream.enqueue(say({ method: "notifications/tools/list_changed" }));
  stream.enqueue(say({ method: "notifications/resources/updated", params: { uri: "other" } }));
  stream.enqueue(say({ method: "notifications/resources/updated", params: { uri } }));
  stream.enqueue(say({ id: "nobody", method: "roots/list" }));
  expect((await client.next()).params).toEqual({ _meta: mark });
  expect((await client.next()).params).toEqual({ uri, _meta: mark });
  while (!seen.some(({ id, error }) => id === "nobody" && error !== undefined)) await Bun.sleep(1);
  client.send({ method: "notifications/cancelled", params: { requestId: "l" } });
  while (!seen.some(({ method }) => method === "resources/unsubscribe")) await Bun.sleep(1);
  expect(client.rest).toEqual([]);
});

test("a request gets the error of its failed handshake, and the next request repeats the handshake", async () => {
  let isDown = true;
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    if (isDown) return new Response("down", { status: 500 });
    if (id === undefined) return new Response(null, { status: 202 });
    return jsonRpc({ id, result: method === "initialize" ? { capabilities: {} } : { tools: [] } });
  });
  const client = chainClient(url, { remembered: "streamable-http" });
  expect((await client.call("tools/list", { _meta })).at(-1).error.code).toBe(1500);
  isDown = false;
  expect((await client.call("tools/list", { _meta })).at(-1).result.tools).toEqual([]);
});

test.each(["initialize", "notifications/initialized"])(
  "a handshake whose %s is never answered is made anew by the next request",
  async (lost) => {
    const seen: unknown[] = [];
    const url = serveHttp(async (request) => {
      if (request.method === "GET") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as Body;
      const isFirst = !seen.includes(method);
      seen.push(method);
      if (method === lost && isFirst) return new Promise<Response>(() => undefined);
      if (id === undefined) return new Response(null, { status: 202 });
      return jsonRpc({
        id,
        result: method === "initialize" ? { capabilities: {} } : { tools: [] },
      });
    });
    const client = chainClient(url, { remembered: "streamable-http", timeoutMs: 500 });
    expect((await client.call("tools/list", { _meta })).at(-1).error.data.kind).toBe("timeout");
    expect((await client.call("tools/list", { _meta })).at(-1).result.tools).toEqual([]);
  },
);

const inputs = (state: string) => ({
  name: "t",
  requestState: state,
  inputResponses: { question: { action: "accept" } },
  _meta,
});

test("questions and results that arrive between two requests of the client wait for the next one", async () => {
  const asks = [
    { id: "q1", method: "elicitation/create", params: { message: "1" } },
    { id: "q2", method: "elicitation/create", params: { message: "2" } },
  ];
  const told: unknown[] = [];
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    if (method === undefined) told.push(id);
    if (id === undefined || method === undefined) return new Response(null, { status: 202 });
    if (method === "server/discover") return jsonRpc({ id, error: { code: -32601, message: "" } });
    if (method === "initialize")
      return jsonRpc({ id, result: { protocolVersion: "2025-11-25", capabilities: {} } });
    const answer = { id, result: { content: [] } };
    return new Response([...asks, answer].map(say).join(""), {
      headers: { "content-type": "text/event-stream" },
    });
  });
  const client = chainClient(url);
  const [first] = await client.call("tools/call", { name: "t", _meta });
  expect(first.result.inputRequests.question.params.message).toBe("1");
  const [second] = await client.call("tools/call", inputs(first.result.requestState));
  expect(second.result.inputRequests.question.params.message).toBe("2");
  const [third] = await client.call("tools/call", inputs(second.result.requestState));
  expect(third.result).toEqual({ content: [], resultType: "complete" });
  expect(told).toEqual(["q1", "q2"]);
});

test.each([
  ["nothing", {}],
  ["Streamable HTTP", { remembered: "streamable-http" }],
])(
  "a stateless client of a server of both protocols is passed on, whatever is remembered (%s)",
  async (_, remembered) => {
    const methods: unknown[] = [];
    const url = serveHttp(async (request) => {
      const { id, method } = (await request.json()) as Body;
      methods.push(method);
      const supportedVersions = ["2026-07-28", "2025-11-25"];
      if (method === "server/discover")
        return jsonRpc({ id, result: { supportedVersions, capabilities: {} } });
      return jsonRpc({ id, result: { tools: [], own: true } });
    });
    const client = chainClient(url, remembered);
    const [listed] = await client.call("tools/list", { _meta });
    expect(listed.result).toEqual({ tools: [], own: true });
    expect(methods).toEqual(["server/discover", "tools/list"]);
  },
);
