import { afterEach, expect, jest, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { ReadBudget } from "../../../src/upstream/transport/read-budget.ts";
import { SessionLost } from "../../../src/upstream/transport/session-lost.ts";
import { EventStream } from "../../../src/upstream/transport/sse-resume.ts";
import { StreamableHttp } from "../../../src/upstream/transport/streamable-http.ts";
import type { Message } from "../../../src/wire/message.ts";
import { requestOf } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { handshake, opened, streamableClient } from "../../support/streamable.ts";

const eventStream = (text: string) =>
  new Response(text, { headers: { "content-type": "text/event-stream" } });
const endless = () =>
  new Response(new ReadableStream({ start: (one) => one.enqueue(":\n\n") }), {
    headers: { "content-type": "text/event-stream" },
  });

test("an answer that began in a lost session is not resumed in the next", async () => {
  let sessions = 0;
  const gets: string[] = [];
  const url = serveHttp(async (request) => {
    const session = request.headers.get("mcp-session-id");
    if (request.method === "GET") {
      const last = request.headers.get("last-event-id");
      if (last !== null) gets.push(`${session} ${last}`);
      return last === null ? new Response(null, { status: 405 }) : endless();
    }
    const { id, method } = (await request.json()) as { id?: number; method: string };
    if (method === "initialize") return opened(id, `s${++sessions}`);
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "x/long") return eventStream("retry: 200\nid: e1\ndata:\n\n");
    if (session === "s1") return new Response("gone", { status: 404 });
    return jsonRpc({ id, result: { session } });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "x/long" });
  client.send({ id: 2, method: "ping" });
  expect((await client.next()).result).toEqual({ session: "s2" });
  expect((await client.next()).error.code).toBe(1504);
  expect(gets).toEqual([]);
});

/** Answers each request by an event; `end` decides how its stream goes on. Resolves when a client cancels a stream. */
function answering(end: (stream: ReadableStreamDefaultController) => void) {
  const cancelled = Promise.withResolvers<"cancelled">();
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as { id?: number; method: string };
    if (method === "initialize") return opened(id, "s1");
    if (id === undefined) return new Response(null, { status: 202 });
    const body = new ReadableStream({
      start(stream) {
        stream.enqueue(`data: {"jsonrpc":"2.0","id":${id},"result":{}}\n\n`);
        end(stream);
      },
      cancel: () => cancelled.resolve("cancelled"),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  return { url, cancelled: cancelled.promise };
}

test("a stream that ends a moment after its answer is read to its end, so that its connection is used again", async () => {
  const ended = Promise.withResolvers<"ended">();
  const server = answering((stream) => {
    setTimeout(() => {
      stream.close();
      ended.resolve("ended");
    }, 50);
  });
  const client = streamableClient(server.url);
  await handshake(client);
  client.send({ id: 1, method: "tools/call", params: { name: "look" } });
  expect((await client.next()).result).toEqual({});
  expect(await Promise.race([server.cancelled, ended.promise])).toBe("ended");
});

test.each([
  ["is silent", () => undefined],
  [
    "says more and more",
    (stream: ReadableStreamDefaultController) => stream.enqueue(`:${"x".repeat(200_000)}\n`),
  ],
])("a stream that %s after its answer is cancelled", async (_, more) => {
  const server = answering(more);
  // Its deadline would cancel the stream, too.
  const client = streamableClient(server.url, undefined, 60_000);
  await handshake(client);
  client.send({ id: 1, method: "tools/call", params: { name: "look" } });
  expect((await client.next()).result).toEqual({});
  const late = Bun.sleep(10_000).then(() => "late");
  expect(await Promise.race([server.cancelled, late])).toBe("cancelled");
});

test("a listening stream that is refused late reports the session it asked for, not the next one", async () => {
  const session = { id: "s1" as string | undefined, version: undefined };
  let gets = 0;
  const get = async () => {
    if (++gets === 1) return eventStream('retry: 10\ndata: {"jsonrpc":"2.0","method":"n"}\n\n');
    session.id = "s2";
    return new Response(null, { status: 404 });
  };
  const transport = new StreamableHttp({
    name: "s",
    endpoint: { request: get, url: new URL("http://x/") } as never,
    session,
    log: memoryLog(),
    redactor: new Redactor(),
    limit: 1000,
    budget: new ReadBudget(),
    ids: new RequestIds(),
    isRepeatable: () => false,
    beginSession: () => undefined,
    anotherCredential: async () => undefined,
    endsSessions: true,
  });
  const lost = await transport
    .listen(async () => undefined, new AbortController().signal)
    .catch((error) => error);
  expect(lost).toBeInstanceOf(SessionLost);
  expect(lost.id).toBe("s1");
});

test("a notification that is answered with an endless stream delays no other message", async () => {
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as { id?: number; method: string };
    if (method === "initialize") return opened(id, "s");
    return id === undefined ? endless() : jsonRpc({ id, result: {} });
  });
  const client = streamableClient(url, undefined, 2000);
  await handshake(client);
  client.send({ id: 1, method: "ping" });
  expect((await client.next()).result).toEqual({});
});

test("an answer is resumed after any id, in UTF-8, and an empty id clears the last one", async () => {
  const last: string[] = [];
  const url = serveHttp(async (request) => {
    if (request.method === "GET") {
      const sent = request.headers.get("last-event-id");
      if (sent === null) return new Response(null, { status: 405 });
      last.push(Buffer.from(sent, "latin1").toString("utf8"));
      return eventStream("id:\ndata:\n\n");
    }
    const { id, method } = (await request.json()) as { id?: number; method: string };
    if (method === "initialize") return opened(id, "s");
    if (id === undefined) return new Response(null, { status: 202 });
    return eventStream("retry: 10\nid: 日本\ndata:\n\n");
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "x/long" });
  expect((await client.next()).error.code).toBe(1504);
  expect(last).toEqual(["日本"]);
});

afterEach(() => {
  jest.useRealTimers();
});

const turn = setImmediate;

/** Lets the clock run from timer to timer until `work` has ended. */
async function runTimersUntil(work: Promise<unknown>): Promise<void> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => turn(resolve));
    jest.advanceTimersToNextTimer();
  }
}

/** An event stream under a fake clock, each of whose connections brings `text`; it stops after `count` of them. */
function scriptedStream(text: (connection: number) => string, count: number) {
  jest.useFakeTimers();
  const stop = new AbortController();
  const at: number[] = [];
  const stream = new EventStream({
    name: "s",
    limit: 1000,
    budget: new ReadBudget(),
    log: memoryLog(),
    get: async () => {
      at.push(performance.now());
      if (at.length === count) stop.abort({ by: "closing" });
      return eventStream(text(at.length));
    },
  });
  /** Milliseconds between one connection and the next. */
  const gaps = () => at.slice(1).map((one, index) => Math.round(one - at[index]!));
  return { stream, signal: stop.signal, gaps };
}

test.each([401, 403])(
  "a listening stream that is refused with %d rests until another credential is accepted",
  async (status) => {
    jest.useFakeTimers();
    const stop = new AbortController();
    const accepted = Promise.withResolvers<void>();
    let opens = 0;
    const stream = new EventStream({
      name: "s",
      anotherCredential: () => accepted.promise,
      limit: 1000,
      budget: new ReadBudget(),
      log: memoryLog(),
      get: async () => {
        if (++opens === 2) stop.abort({ by: "closing" });
        return new Response("no", { status });
      },
    });
    const listening = stream.listen(async () => undefined, stop.signal);
    for (let minute = 0; minute < 10; minute++) {
      await new Promise((resolve) => turn(resolve));
      jest.advanceTimersByTime(60_000);
    }
    expect(opens).toBe(1);
    accepted.resolve();
    await runTimersUntil(listening);
    expect(opens).toBe(2);
  },
);

test("a server that ends the stream of an answer without an event is asked at growing intervals", async () => {
  const { stream, signal, gaps } = scriptedStream(() => "", 5);
  const sink = { isDone: false, take: async (_: Message) => undefined };
  const first = eventStream("retry: 100\nid: 1\ndata:\n\n");
  await runTimersUntil(stream.read(first, sink, signal).catch(() => undefined));
  const found = gaps();
  expect(found).toHaveLength(4);
  for (const [index, gap] of found.slice(1).entries()) expect(gap).toBeGreaterThan(found[index]!);
});

test.each([0, 1, 10, 99])(
  "retry: %i is honoured for three reconnections, then a second lies between them",
  async (retry) => {
    const text = `retry: ${retry}\nid: 1\ndata: {"jsonrpc":"2.0","method":"n"}\n\n`;
    const { stream, signal, gaps } = scriptedStream(() => text, 7);
    await runTimersUntil(stream.listen(async () => undefined, signal));
    const floor = Math.max(10, retry);
    expect(gaps()).toEqual([floor, floor, floor, 1000, 1000, 1000]);
  },
);

test("retry: 100 is honoured for as long as the server asks for it", async () => {
  const text = 'retry: 100\nid: 1\ndata: {"jsonrpc":"2.0","method":"n"}\n\n';
  const { stream, signal, gaps } = scriptedStream(() => text, 7);
  await runTimersUntil(stream.listen(async () => undefined, signal));
  expect(gaps()).toEqual([100, 100, 100, 100, 100, 100]);
});

test("a listening stream is reopened at the interval that the server names", async () => {
  const { stream, signal, gaps } = scriptedStream(() => "retry: 2000\nid: 1\ndata:\n\n", 6);
  await runTimersUntil(stream.listen(async () => undefined, signal));
  expect(gaps()).toEqual([2000, 2000, 2000, 2000, 2000]);
});

test("each request of a batch that times out is cancelled", async () => {
  const told: string[] = [];
  const both = Promise.withResolvers<void>();
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return new Response(null, { status: 405 });
    const body = (await request.json()) as { id?: number; method: string; params?: object };
    if (Array.isArray(body)) return endless();
    if (body.method === "notifications/cancelled") told.push(JSON.stringify(body.params));
    if (told.length === 2) both.resolve();
    if (body.method !== "initialize") return new Response(null, { status: 202 });
    return jsonRpc({ id: body.id, result: { protocolVersion: "2025-03-26", capabilities: {} } });
  });
  const client = streamableClient(url, undefined, 300);
  client.send({ id: 0, method: "initialize", params: { protocolVersion: "2025-03-26" } });
  await client.next();
  client.send({ method: "notifications/initialized" });
  const text = (id: string) => new TextDecoder().decode(requestOf(id, "x/y").bytes);
  client.write(`[${text('"a"')},${text('"b"')}]\n`);
  expect([(await client.next()).error.code, (await client.next()).error.code]).toEqual([
    1408, 1408,
  ]);
  await both.promise;
  expect(told.sort()).toEqual([
    '{"requestId":"a","reason":"timed out"}',
    '{"requestId":"b","reason":"timed out"}',
  ]);
});
