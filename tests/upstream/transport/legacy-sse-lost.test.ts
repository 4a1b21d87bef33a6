import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import type { Endpoint } from "../../../src/upstream/transport/endpoint.ts";
import { LegacySse } from "../../../src/upstream/transport/legacy-sse.ts";
import { ReadBudget } from "../../../src/upstream/transport/read-budget.ts";
import { SessionLost } from "../../../src/upstream/transport/session-lost.ts";
import { type Message, requestOf } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";
import { type SseBody, SseServer } from "../../support/sse-server.ts";
import { chainClient } from "../../support/whole-chain.ts";

const echo = ({ id, params }: SseBody) =>
  id === undefined ? undefined : { id, result: params ?? {} };

test.each<[string, () => Response]>([
  [
    "400 of the official SDK",
    () => new Response("No transport found for sessionId", { status: 400 }),
  ],
  ["404", () => new Response("gone", { status: 404 })],
])(
  "a stream whose messages are refused with %s is opened anew, and the call sent once more",
  async (_, refuse) => {
    const server = new SseServer({ respond: echo });
    const client = chainClient(server.url, { transport: "sse" });
    await client.start();
    await client.call("ping");
    server.refuse = refuse;
    expect((await client.call("x/y", { a: 1 })).at(-1).result).toEqual({ a: 1 });
    expect(server.streams).toBe(2);
  },
);

test("a stream that is silent until a call times out is closed, and the next call opens another", async () => {
  const server = new SseServer({
    respond: (body) => (body.method === "x/lost" ? undefined : echo(body)),
  });
  const client = chainClient(server.url, { transport: "sse", timeoutMs: 100 });
  await client.start();
  expect((await client.call("x/lost")).at(-1).error.code).toBe(1408);
  expect((await client.call("x/y", { a: 1 })).at(-1).result).toEqual({ a: 1 });
  expect(server.streams).toBe(2);
});

test("a stream that sent anything, even a comment, during a call that timed out stays open", async () => {
  const server = new SseServer({
    respond: (body, self) => {
      if (body.method === "x/slow") self.comment();
      return body.method === "x/slow" ? undefined : echo(body);
    },
  });
  const client = chainClient(server.url, { transport: "sse", timeoutMs: 100 });
  await client.start();
  expect((await client.call("x/slow")).at(-1).error.code).toBe(1408);
  expect((await client.call("x/y", { a: 1 })).at(-1).result).toEqual({ a: 1 });
  expect(server.streams).toBe(1);
});

/** The transport alone, on a stream in the test's hands, with an idle limit of 20 ms. */
async function openTransport() {
  let stream!: ReadableStreamDefaultController;
  const posted: Message[] = [];
  const start = (one: ReadableStreamDefaultController) => {
    stream = one;
    one.enqueue(new TextEncoder().encode("event: endpoint\ndata: /m\n\n"));
  };
  const request = async () =>
    new Response(new ReadableStream({ start }), {
      headers: { "content-type": "text/event-stream" },
    });
  const say = (id: number) =>
    stream.enqueue(new TextEncoder().encode(`data: {"jsonrpc":"2.0","id":${id},"result":{}}\n\n`));
  const transport = new LegacySse({
    name: "s",
    endpoint: { request, url: new URL("http://x/") } as unknown as Endpoint,
    postTo: () =>
      ({ request: async () => new Response(null, { status: 202 }) }) as unknown as Endpoint,
    session: { id: undefined, version: undefined },
    log: memoryLog(),
    redactor: new Redactor(),
    limit: 1000,
    budget: new ReadBudget(),
    isRepeatable: () => false,
    beginSession: () => undefined,
    lostPrefix: () => undefined,
    noteLostPrefix: () => undefined,
    idleMs: 20,
  });
  const { signal } = new AbortController();
  const send = (id: number, method: string) =>
    transport.send(requestOf(String(id), method), async (said) => void posted.push(said), signal);
  const started = send(0, "initialize");
  while (stream === undefined) await Bun.sleep(1);
  say(0);
  await started;
  return { transport, send, say, signal, posted };
}

test("a stream that falls silent while no call waits is replaced", async () => {
  const { transport, signal } = await openTransport();
  const lost = await transport.listen(async () => undefined, signal).catch((error) => error);
  expect(lost).toBeInstanceOf(SessionLost);
});

test("a stream that falls silent while a call waits is kept", async () => {
  const { send, say, posted } = await openTransport();
  const answered = send(1, "x/slow");
  setTimeout(() => say(1), 100);
  await answered;
  expect(posted.map(({ head }) => head.id)).toEqual(["0", "1"]);
});
