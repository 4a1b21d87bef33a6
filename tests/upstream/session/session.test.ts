import { expect, test } from "bun:test";
import { events, jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { handshake, opened, streamableClient } from "../../support/streamable.ts";

interface Body {
  readonly id?: number | string;
  readonly method?: string;
  readonly result?: object;
}

test("a session that could not be replaced at once is replaced by the next call", async () => {
  let initializations = 0;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    const session = request.headers.get("mcp-session-id");
    if (method === "initialize") {
      initializations++;
      if (initializations === 2) return new Response("busy", { status: 500 });
      return opened(id, `s${initializations}`);
    }
    if (id === undefined) return new Response(null, { status: 202 });
    if (session === "s1") return new Response("gone", { status: 404 });
    if (session === null) return new Response("no session", { status: 400 });
    return jsonRpc({ id, result: { session } });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "ping" });
  expect((await client.next()).error.code).toBe(1500);
  client.send({ id: 2, method: "ping" });
  expect((await client.next()).result).toEqual({ session: "s3" });
});

test.each([
  ["finds the session lost", false],
  ["comes after another call found the session lost", true],
])("an answer to the server that %s does not reach the next session", async (_, isReplaced) => {
  const responses: string[] = [];
  let sessions = 0;
  const isLost = (session: string | null) => session === "s1" && isRestarted;
  let isRestarted = false;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, result } = (await request.json()) as Body;
    const session = request.headers.get("mcp-session-id");
    if (method === "initialize") return opened(id, `s${++sessions}`);
    if (isLost(session)) return new Response("gone", { status: 404 });
    if (method === undefined) responses.push(`${session} ${JSON.stringify(result)}`);
    if (id === undefined || method === undefined) return new Response(null, { status: 202 });
    if (method === "x/ask") return events({ id: "q", method: "roots/list" }, { id, result: {} });
    return jsonRpc({ id, result: { session } });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "x/ask" });
  const lost = await client.next();
  expect(lost.method).toBe("roots/list");
  expect((await client.next()).id).toBe(1);
  isRestarted = true;
  if (isReplaced) {
    client.send({ id: 2, method: "ping" });
    expect((await client.next()).result).toEqual({ session: "s2" });
  }
  client.send({ id: lost.id, result: { roots: [] } });
  // Behind it, so that it has had its time.
  client.send({ id: 4, method: "ping" });
  expect((await client.next()).id).toBe(4);
  client.send({ id: 3, method: "x/ask" });
  const asked = await client.next();
  expect((await client.next()).id).toBe(3);
  client.send({ id: asked.id, result: { roots: [1] } });
  while (responses.length === 0) await Bun.sleep(1);
  expect(responses).toEqual(['s2 {"roots":[1]}']);
});

test("requests wait for the answer to `initialized` for a third of a call's deadline at most", async () => {
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    if (method === "initialize") return opened(id, "s1");
    if (id === undefined) return new Promise<Response>(() => undefined);
    return jsonRpc({ id, result: {} });
  });
  const client = streamableClient(url, undefined, 1500);
  client.send({ id: 0, method: "initialize", params: {} });
  expect((await client.next()).id).toBe(0);
  client.send({ method: "notifications/initialized" });
  client.send({ id: 1, method: "ping" });
  expect((await client.next()).result).toEqual({});
});

test("a new session's listening stream is opened at once, so no message of the server is lost", async () => {
  const opens: (string | null)[] = [];
  let lost = false;
  let sessions = 0;
  const heard = Promise.withResolvers<Body>();
  const url = serveHttp(async (request) => {
    const session = request.headers.get("mcp-session-id");
    if (request.method === "GET") {
      opens.push(session);
      const asked = `data: {"jsonrpc":"2.0","id":"r","method":"roots/list"}\n\n`;
      const start = (controller: ReadableStreamDefaultController) =>
        session === "s2" && controller.enqueue(asked);
      const headers = { "content-type": "text/event-stream" };
      return new Response(new ReadableStream({ start, cancel() {} }), { headers });
    }
    if (request.method !== "POST") return new Response(null, { status: 202 });
    const body = (await request.json()) as Body;
    if (body.method === "initialize") return opened(body.id, `s${++sessions}`);
    if (session === "s1" && lost) return new Response("gone", { status: 404 });
    if (body.method === undefined) heard.resolve(body);
    if (body.id === undefined || body.method === undefined)
      return new Response(null, { status: 202 });
    // The call waits for the client's roots, which are asked for on the listening stream.
    if (session === "s2") await heard.promise;
    return jsonRpc({ id: body.id, result: { session } });
  });
  const client = streamableClient(url);
  await handshake(client);
  while (opens.length === 0) await Bun.sleep(1);
  lost = true;
  const startedAt = performance.now();
  client.send({ id: 1, method: "tools/call", params: { name: "t" } });
  const { id, method } = await client.next();
  expect(method).toBe("roots/list");
  client.send({ id, result: { roots: [] } });
  expect((await client.next()).result).toEqual({ session: "s2" });
  expect(opens).toEqual(["s1", "s2"]);
  // The first wait before a lost stream is opened again is 100 ms, the second 200 ms.
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test.each([
  ["a line break", "2025-06-18\r\nx: y"],
  ["a letter beyond ASCII", "2025-06-18é"],
  ["nothing", ""],
  ["a long text", "2".repeat(65)],
])(
  "a protocolVersion with %s, which is no header value, is bad-answer at initialize",
  async (_, protocolVersion) => {
    const seen: string[] = [];
    const url = serveHttp(async (request) => {
      const { id, method } = (await request.json()) as Body;
      seen.push(method!);
      return jsonRpc({ id, result: { protocolVersion, capabilities: {} } });
    });
    const client = streamableClient(url);
    client.send({ id: 0, method: "initialize", params: {} });
    expect((await client.next()).error.data.kind).toBe("bad-answer");
    client.send({ id: 1, method: "tools/list" });
    expect((await client.next()).error.data.kind).toBe("bad-answer");
    expect(seen).toEqual(["initialize"]);
  },
);
