import { expect, test } from "bun:test";
import { events, jsonRpc, serveHttp } from "../../support/serve-http.ts";
import {
  handshake,
  initializeResult,
  streamableClient,
  withHandshake,
} from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

test.each([
  ["307 to another host", 307, "https://other.example/mcp"],
  ["308 to another port", 308, "http://127.0.0.1:1/mcp"],
  ["302 to the same host", 302, "/elsewhere"],
])("a %s is refused and names the new host", async (_, status, location) => {
  const url = serveHttp(() => new Response(null, { status, headers: { location } }));
  const client = streamableClient(url);
  client.send({ id: 0, method: "initialize", params: {} });
  const { error } = await client.next();
  expect(error.data.kind).toBe("refused");
  const { host, origin, href } = URL.parse(location, url.href)!;
  expect(error.message).toContain(origin === url.origin ? href : `to "${host}"`);
});

test.each([
  [404, "", "server-not-found", "Server not found"],
  [410, "", "server-not-found", "Server not found"],
  [429, "", "rate-limited", "too many requests"],
  [500, "boom", "server-error", "Server error"],
  [503, "<html>down</html>", "server-error", "answered 503"],
  [400, '{"error":"what?"}', "server-error", "said: what?"],
])("the error for status %d tells its class in words", async (status, body, kind, words) => {
  const url = serveHttp(() => new Response(body, { status }));
  const client = streamableClient(url);
  client.send({ id: 0, method: "initialize", params: {} });
  const { error } = await client.next();
  expect(error.data.kind).toBe(kind);
  expect(error.message).toContain(words);
  expect(error.message).not.toContain("<html>");
});

test("the server's own JSON-RPC error of a 4xx or 5xx reaches the client as it is", async () => {
  const body = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no","data":{"n":1.0}}}';
  const url = serveHttp(
    withHandshake((request) =>
      request.method === "POST"
        ? new Response(body, { status: 400 })
        : new Response(null, { status: 405 }),
    ),
  );
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call" });
  expect(await client.line()).toBe(body);
});

test.each([
  ["not JSON", () => new Response("hello", { headers: { "content-type": "application/json" } })],
  [
    "cut off",
    () =>
      new Response('{"jsonrpc":"2.0","id":1,', { headers: { "content-type": "application/json" } }),
  ],
  ["empty", () => new Response("", { headers: { "content-type": "application/json" } })],
  ["HTML", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
  ["another id", () => Response.json({ jsonrpc: "2.0", id: 2, result: {} })],
  ["no JSON-RPC", () => Response.json({ id: 1, value: {} })],
  [
    "an event that is none",
    () => new Response("data: nope\n\n", { headers: { "content-type": "text/event-stream" } }),
  ],
])("an answer that is %s becomes bad-answer", async (_, response) => {
  const url = serveHttp(
    withHandshake((request) =>
      request.method === "POST" ? response() : new Response(null, { status: 405 }),
    ),
  );
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call" });
  expect((await client.next()).error.data.kind).toBe("bad-answer");
});

test("an answer over the limit is refused without being read whole", async () => {
  const url = serveHttp(
    withHandshake((request, body) =>
      request.method === "POST"
        ? jsonRpc({ id: body.id, result: "x".repeat(2 * 1024 * 1024) })
        : new Response(null, { status: 405 }),
    ),
  );
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call" });
  expect((await client.next()).error.data.kind).toBe("too-large");
});

test("a port where nobody listens is connection-refused", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const url = new URL(`http://127.0.0.1:${server.port}/mcp`);
  await server.stop(true);
  const client = streamableClient(url);
  client.send({ id: 0, method: "initialize", params: {} });
  expect((await client.next()).error.data.kind).toBe("connection-refused");
});

const words = { code: -32099, message: "m", data: { n: 1 } };

test.each<[string, () => Response]>([
  ["400 without an id", () => jsonRpc({ id: null, error: words }, 400)],
  ["400 with an id of its own", () => jsonRpc({ id: "server-error", error: words }, 400)],
  ["404 without an id", () => jsonRpc({ id: null, error: words }, 404)],
  ["429 without an id", () => jsonRpc({ id: null, error: words }, 429)],
  ["500 without an id", () => jsonRpc({ id: null, error: words }, 500)],
  ["200 without an id", () => jsonRpc({ id: null, error: words })],
  ["an event without an id", () => events({ id: null, error: words })],
])(
  "a JSON-RPC error on %s reaches the client word for word, in either protocol",
  async (_, refuse) => {
    const url = serveHttp(async (request) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as { id?: number; method: string };
      if (method === "initialize") return jsonRpc({ id, result: initializeResult });
      return id === undefined ? new Response(null, { status: 202 }) : refuse();
    });
    const retry = { attempts: 2 };
    const session = chainClient(url, { remembered: "streamable-http", retry });
    await session.start();
    expect((await session.call("tools/call", { name: "t" })).at(-1).error).toEqual(words);
    const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    const stateless = chainClient(url, { remembered: "stateless-http", retry });
    expect((await stateless.call("tools/call", { name: "t", _meta })).at(-1).error).toEqual(words);
  },
);

test.each<[number, string[]]>([
  [200, ["POST", "GET"]],
  [400, ["POST", "POST", "GET"]],
])(
  "an initialize refused on %d without an id is told in the server's words, once no other transport is there",
  async (status, tried) => {
    const seen: string[] = [];
    const url = serveHttp(async (request) => {
      seen.push(request.method);
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as { id: string; method: string };
      if (method === "initialize") return jsonRpc({ id: null, error: words }, status);
      return jsonRpc({ id, error: { code: -32601, message: "no" } });
    });
    expect((await chainClient(url).start()).error).toEqual(words);
    expect(seen).toEqual(tried);
  },
);

test("a rate limit is waited for, though the server says it in JSON-RPC", async () => {
  let refusals = 1;
  const url = serveHttp(
    withHandshake((request, { id }) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      return refusals-- > 0
        ? jsonRpc({ id: null, error: words }, 429)
        : jsonRpc({ id, result: { ok: true } });
    }),
  );
  const client = chainClient(url, { remembered: "streamable-http", retry: { attempts: 2 } });
  await client.start();
  expect((await client.call("tools/call", { name: "t" })).at(-1).result).toEqual({ ok: true });
});
