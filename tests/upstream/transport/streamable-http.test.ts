import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { connect } from "../../../src/upstream/connect.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { memoryLog, plainHttp, relayClient } from "../../support/client.ts";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import {
  handshake,
  initializeResult,
  opened,
  sessionCache,
  streamableClient,
  streamableSettings,
  withHandshake,
} from "../../support/streamable.ts";

test("session id and revision go with every request after initialize, and a DELETE ends the session", async () => {
  const seen: string[] = [];
  const ended = Promise.withResolvers<void>();
  const url = serveHttp(
    withHandshake((request, body) => {
      const { headers, method } = request;
      seen.push(
        `${method} ${headers.get("mcp-session-id")} ${headers.get("mcp-protocol-version")} ${headers.get("accept")}`,
      );
      if (method === "DELETE") ended.resolve();
      return body.id >= 0
        ? jsonRpc({ id: body.id, result: {} })
        : new Response(null, { status: 405 });
    }),
  );
  const settings = streamableSettings(url);
  const http = plainHttp(url);
  let upstream!: ReturnType<typeof connect>;
  const client = relayClient((facts) => {
    upstream = connect({
      settings,
      http,
      authorizer: { headers: async () => ({}), refused: async () => false },
      cache: sessionCache(url),
      log: memoryLog(),
      redactor: new Redactor(),
      client: facts,
      ids: new RequestIds(),
      ask: () => Promise.reject(new Error("nobody asks here")),
    });
    return upstream;
  });
  await handshake(client);
  client.send({ id: 1, method: "ping" });
  await client.next();
  await upstream.close(1000);
  await ended.promise;
  expect(seen.sort()).toEqual([
    "DELETE s-1 2025-06-18 application/json, text/event-stream",
    "GET s-1 2025-06-18 text/event-stream",
    "POST s-1 2025-06-18 application/json, text/event-stream",
  ]);
});

test("requests sent before initialize is answered arrive after it, and after initialized", async () => {
  const order: string[] = [];
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const body = (await request.json()) as { id?: number; method: string };
    await Bun.sleep(body.method.includes("initialize") ? 20 : 0);
    order.push(body.method);
    if (body.id === undefined) return new Response(null, { status: 202 });
    return jsonRpc({ id: body.id, result: body.method === "initialize" ? initializeResult : {} });
  });
  const client = streamableClient(url);
  client.send({ id: 0, method: "initialize", params: {} });
  client.send({ method: "notifications/initialized" });
  client.send({ id: 1, method: "tools/list" });
  expect([(await client.next()).id, (await client.next()).id]).toEqual([0, 1]);
  expect(order).toEqual(["initialize", "notifications/initialized", "tools/list"]);
});

test("bodies pass byte for byte both ways, line breaks between tokens aside", async () => {
  let got = "";
  const answer =
    '{"jsonrpc": "2.0",\r\n "id":1 ,"result":{"n":12345678901234567890,"f":1.0,"u":"\\u00e9é","_meta":{}}}\n';
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const text = await request.text();
    if (text.includes('"initialize"')) return jsonRpc({ id: 0, result: initializeResult });
    if (text.includes("initialized")) return new Response(null, { status: 202 });
    got = text;
    return new Response(answer, { headers: { "content-type": "application/json; charset=utf-8" } });
  });
  const client = streamableClient(url);
  await handshake(client);
  const line =
    '{"method":"tools/call", "id":1,"params":{"name":"x","arguments":{"n":1e400,"f":1.0}},"jsonrpc":"2.0","extra":[ ]}';
  client.write(`${line}\n`);
  expect(await client.line()).toBe(answer.replaceAll("\r", " ").replaceAll("\n", " "));
  expect(got).toBe(line);
});

test("event streams deliver notifications, requests and the answer; the client's answer goes back", async () => {
  const answered = Promise.withResolvers<unknown>();
  const url = serveHttp(
    withHandshake((request, body) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      if (body.method === undefined) {
        answered.resolve(body);
        return new Response(null, { status: 202 });
      }
      const event = (message: object) =>
        `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
      const stream = new ReadableStream({
        async start(controller) {
          controller.enqueue(event({ method: "notifications/progress", params: { progress: 1 } }));
          controller.enqueue(event({ id: "q", method: "roots/list" }));
          await answered.promise;
          controller.enqueue(event({ id: body.id, result: { done: true } }));
        },
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }),
  );
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call", params: { name: "x" } });
  expect((await client.next()).method).toBe("notifications/progress");
  const { id, ...asked } = await client.next();
  expect(asked).toEqual({ jsonrpc: "2.0", method: "roots/list" });
  client.send({ id, result: { roots: [] } });
  expect((await client.next()).result).toEqual({ done: true });
  expect(await answered.promise).toEqual({ jsonrpc: "2.0", id: "q", result: { roots: [] } });
});

test("the server's own messages come over the listening stream", async () => {
  const url = serveHttp(
    withHandshake((request) => {
      if (request.method !== "GET") return new Response(null, { status: 202 });
      const stream = new ReadableStream({
        start: (controller) =>
          controller.enqueue(
            'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n',
          ),
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }),
  );
  const client = streamableClient(url);
  await handshake(client);
  expect((await client.next()).method).toBe("notifications/tools/list_changed");
  await client.relay.finish(0);
});

test("a cancellation is posted with the client's own bytes", async () => {
  const cancelled = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const text = await request.text();
    if (text.includes('"initialize"')) return jsonRpc({ id: 0, result: initializeResult });
    if (text.includes("cancelled")) cancelled.resolve(text);
    if (!text.includes('"tools/call"')) return new Response(null, { status: 202 });
    started.resolve();
    return new Response(new ReadableStream({}), {
      headers: { "content-type": "text/event-stream" },
    });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call", params: { name: "x" } });
  await started.promise;
  const line = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId": 1}}';
  client.write(`${line}\n`);
  expect(await cancelled.promise).toBe(line);
  await client.relay.finish(0);
  expect(client.rest).toEqual([]);
});

test("a call past its deadline is answered, and the server is told", async () => {
  const cancelled = Promise.withResolvers<{ params: object }>();
  const url = serveHttp(
    withHandshake((request, body) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      if (body.method !== "notifications/cancelled") return new Promise<Response>(() => undefined);
      cancelled.resolve(body);
      return new Response(null, { status: 202 });
    }),
  );
  const client = streamableClient(url, undefined, 300);
  await handshake(client);
  client.send({ id: 7, method: "tools/call", params: { name: "slow" } });
  expect((await client.next()).error.data.kind).toBe("timeout");
  expect((await cancelled.promise).params).toEqual({ requestId: 7, reason: "timed out" });
});

test("a session that the server forgot is started anew and the call repeated", async () => {
  const calls: string[] = [];
  let sessions = 0;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const body = (await request.json()) as { id?: number; method: string };
    const session = request.headers.get("mcp-session-id");
    calls.push(`${body.method} ${session}`);
    if (body.method === "initialize") return opened(body.id, `s-${++sessions}`);
    if (session === "s-1" && body.method === "tools/call")
      return jsonRpc({ id: null, error: { code: -32001, message: "Session not found" } }, 404);
    return body.id === undefined
      ? new Response(null, { status: 202 })
      : jsonRpc({ id: body.id, result: {} });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call", params: { name: "x" } });
  expect((await client.next()).result).toEqual({});
  expect(calls).toEqual([
    "initialize null",
    "notifications/initialized s-1",
    "tools/call s-1",
    "initialize null",
    "notifications/initialized s-2",
    "tools/call s-2",
  ]);
  expect(client.rest).toEqual([]);
});

test("a 308 on the same origin is followed once and remembered, and forgotten when it leads nowhere", async () => {
  let slashes = true;
  const paths: string[] = [];
  const url = serveHttp((request) => {
    const { pathname } = new URL(request.url);
    paths.push(pathname);
    if (slashes && pathname === "/mcp")
      return new Response(null, { status: 308, headers: { location: "/mcp/" } });
    if (!slashes && pathname === "/mcp/") return new Response(null, { status: 404 });
    return withHandshake(() => new Response(null, { status: 405 }))(request);
  });
  const cache = sessionCache(url);
  const first = streamableClient(url, cache);
  first.send({ id: 0, method: "initialize", params: {} });
  await first.next();
  slashes = false;
  const second = streamableClient(url, cache);
  second.send({ id: 0, method: "initialize", params: {} });
  await second.next();
  expect(paths).toEqual(["/mcp", "/mcp/", "/mcp/", "/mcp"]);
  expect(cache.get("moved")).toBeUndefined();
});

test("a remembered URL that has moved again is found by way of the configured one", async () => {
  const paths: string[] = [];
  const url = serveHttp((request) => {
    const { pathname } = new URL(request.url);
    paths.push(pathname);
    if (pathname === "/mcp")
      return new Response(null, { status: 307, headers: { location: "/b" } });
    if (pathname === "/a") return new Response(null, { status: 404 });
    return withHandshake(() => new Response(null, { status: 405 }))(request);
  });
  const cache = sessionCache(url);
  cache.set("moved", "/a");
  const client = streamableClient(url, cache);
  client.send({ id: 0, method: "initialize", params: {} });
  expect((await client.next()).result).toBeDefined();
  expect(paths).toEqual(["/a", "/mcp", "/b"]);
  expect(cache.get("moved")).toBe("/b");
});
