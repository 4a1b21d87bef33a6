// Answers that mean what they should and look otherwise.
import { describe, expect, test } from "bun:test";
import { PendingResponses } from "../../../src/upstream/transport/pending-responses.ts";
import { type Message, readMessage } from "../../../src/wire/message.ts";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import {
  handshake,
  initializeResult,
  streamableClient,
  withHandshake,
} from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

const result = { content: [{ type: "text", text: "hello" }] };
const message = (id: unknown, rest: object) => JSON.stringify({ jsonrpc: "2.0", id, ...rest });
const stream = (text: string, status = 200) =>
  new Response(text, { status, headers: { "content-type": "text/event-stream" } });

/** What a client gets for a call that the server answers with `response`. */
async function callAnsweredBy(response: (id: number) => Response) {
  const url = serveHttp(
    withHandshake((request, { id }) =>
      request.method === "POST" ? response(id) : new Response(null, { status: 405 }),
    ),
  );
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 7, method: "tools/call", params: { name: "t", arguments: {} } });
  for (let message = await client.next(); ; message = await client.next())
    if (message.id === 7) return message;
}

const asJson = (text: string) =>
  new Response(text, { headers: { "content-type": "application/json" } });
/** A body without a Content-Length. */
const chunked = (text: string, type: string) =>
  new Response(new Blob([text]).stream(), { headers: { "content-type": type } });
const bare = (text: string, status = 200) => {
  const response = new Response(text, { status });
  response.headers.delete("content-type");
  return response;
};

test.each<[string, (id: number) => Response]>([
  ["in an array of one", (id) => asJson(`[${message(id, { result })}]`)],
  [
    "in an array behind a notification",
    (id) => asJson(`[{"jsonrpc":"2.0","method":"notifications/n"},${message(id, { result })}]`),
  ],
  ["in an array in an event", (id) => stream(`data: [${message(id, { result })}]\n\n`)],
  ["without a content type", (id) => bare(message(id, { result }))],
  ["as plain text", (id) => new Response(message(id, { result }))],
  ["whose id became a string", (id) => asJson(message(String(id), { result }))],
  [
    "whose id became a string, in an event",
    (id) => stream(`data: ${message(String(id), { result })}\n\n`),
  ],
  ["without a version", (id) => asJson(JSON.stringify({ id, result }))],
  ["of JSON-RPC 1.0", (id) => asJson(JSON.stringify({ id, result, error: null }))],
  [
    "of JSON-RPC 1.0, of unknown length",
    (id) => chunked(JSON.stringify({ id, result, error: null }), "application/json"),
  ],
  ["in a named event, alone", (id) => stream(`event: done\ndata: ${message(id, { result })}\n\n`)],
  ["in an event without its empty line", (id) => stream(`data: ${message(id, { result })}\n`)],
  ["in an event without its line end", (id) => stream(`: a\n\ndata: ${message(id, { result })}`)],
  ["as JSON that is called an event stream", (id) => stream(message(id, { result }))],
  ["as a line that is called an event stream", (id) => stream(`${message(id, { result })}\n`)],
  [
    "as an event stream that is called JSON",
    (id) => asJson(`event: message\ndata: ${message(id, { result })}\n\n`),
  ],
  [
    "behind progress, as an event stream that is called JSON",
    (id) =>
      asJson(
        `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\ndata: ${message(id, { result })}\n\n`,
      ),
  ],
  [
    "in an array in an event without its empty line",
    (id) => stream(`data: [${message(id, { result })}]`),
  ],
  [
    "behind text, JSON that is no JSON-RPC and named events",
    (id) =>
      stream(
        `data: ping\n\ndata: {"beat":1}\n\ndata: 17\n\nevent: ping\ndata: now\n\nevent: beat\ndata: ${message(id, { result: { wrong: 1 } })}\n\ndata: ${message(id, { result })}\n\n`,
      ),
  ],
])("an answer %s is taken", async (_, response) => {
  expect(await callAnsweredBy(response)).toMatchObject({ id: 7, result });
});

test("an answer under the content type of JSON that is not valid UTF-8 is none", async () => {
  for (const start of ["", "data: "]) {
    const text = (id: number) => Buffer.from(`${start}${message(id, { result })}\n\n`);
    const spoiled = (id: number) => {
      const bytes = text(id);
      bytes[bytes.indexOf("hello")] = 0xff;
      return new Response(bytes, { headers: { "content-type": "application/json" } });
    };
    const { error } = await callAnsweredBy(spoiled);
    expect(error.data).toMatchObject({ kind: "bad-answer" });
  }
});

test.each<[string, (id: number) => Response]>([
  ["cut off in its last event", (id) => stream(`data: ${message(id, { result }).slice(0, -1)}`)],
  [
    "in an array with a notification, in an event without its empty line",
    (id) => stream(`data: [{"jsonrpc":"2.0","method":"x"},${message(id, { result })}]`),
  ],
  ["cut off as JSON", (id) => stream(message(id, { result }).slice(0, -1))],
])("an answer that is %s is none", async (_, response) => {
  expect((await callAnsweredBy(response)).error.data).toMatchObject({ kind: "outcome-unknown" });
});

test('of the ids 1 and "1" in one batch, each gets its own answer', async () => {
  const seen: unknown[] = [];
  const asked = readMessage(
    Buffer.from(`[${message(1, { method: "a" })},${message("1", { method: "b" })}]`),
  );
  const pending = new PendingResponses(asked as Message, async (part) => {
    seen.push(part.value(["id"]));
  });
  for (const id of ["1", 1]) {
    const response = readMessage(Buffer.from(message(id, { result })));
    expect(pending.isAnswer(response as Message)).toBe(true);
    await pending.take(response as Message);
  }
  expect(seen).toEqual(["1", 1]);
  expect(pending.isDone).toBe(true);
});

const error = { code: -32001, message: "the quota is used up" };

test.each<[string, (id: number) => Response]>([
  ["in an event named error", (id) => stream(`event: error\ndata: ${message(id, { error })}\n\n`)],
  [
    "in an event named error, of no request",
    () => stream(`event: error\ndata: ${message(null, { error })}\n\n`),
  ],
  ["without a content type", (id) => bare(message(id, { error }))],
  ["of JSON-RPC 1.0", (id) => asJson(JSON.stringify({ id, result: null, error }))],
  ["as a 400", (id) => jsonRpc({ id, error }, 400)],
  ["of another id, alone in the body", () => jsonRpc({ id: "server-error", error })],
  ["as a 400 of no request", () => jsonRpc({ id: null, error }, 400)],
  ["as a 422 in an array", (id) => new Response(`[${message(id, { error })}]`, { status: 422 })],
  ["as a 400 without a content type", (id) => bare(message(id, { error }), 400)],
  [
    "as a 400 in an event stream",
    (id) => stream(`event: message\ndata: ${message(id, { error })}\n\n`, 400),
  ],
  [
    "as a 500 in an event named error",
    (id) => stream(`: hello\n\nevent: error\ndata: ${message(id, { error })}\n\n`, 500),
  ],
])("a JSON-RPC error %s reaches the client with the server's words", async (_, response) => {
  expect(await callAnsweredBy(response)).toMatchObject({ id: 7, error });
});

test.each<[string, (id: number) => Response, string]>([
  [
    "an event named error in words",
    () => stream("event: error\ndata: out of credit\n\n"),
    "out of credit",
  ],
  [
    "an event named error in JSON",
    () => stream('event: error\ndata: {"detail":"out of credit"}\n\n'),
    "out of credit",
  ],
  ["JSON that is no JSON-RPC", () => asJson('{"detail":"out of credit"}'), "out of credit"],
  [
    "a page",
    () =>
      new Response("<title>Out of credit</title>", { headers: { "content-type": "text/html" } }),
    "Out of credit",
  ],
  [
    "nothing but heartbeats",
    () => stream("data: ping\n\ndata: ping\n\n"),
    "2 events that are no messages",
  ],
])("the error for %s tells the reason", async (_, response, words) => {
  const answer = await callAnsweredBy(response);
  expect(answer.error).toMatchObject({ data: { kind: "bad-answer" } });
  expect(answer.error.message).toContain(words);
});

describe("initialize", () => {
  const initialize = {
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {} },
  };

  test.each<[string, (text: string) => Response]>([
    ["JSON", (text) => asJson(`[${text}]`)],
    ["an event", (text) => stream(`data: [${text}]\n\n`)],
  ])("answered by an array of one in %s opens the session", async (_, response) => {
    const url = serveHttp(async (request) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as { id?: number; method: string };
      if (method === "initialize") return response(message(id, { result: initializeResult }));
      if (id === undefined) return new Response(null, { status: 202 });
      return asJson(`[${message(id, { result })}]`);
    });
    const client = chainClient(url);
    client.send(initialize);
    expect(await client.next()).toMatchObject({ id: 0, result: initializeResult });
    client.send({ method: "notifications/initialized" });
    client.send({ id: 1, method: "tools/call", params: { name: "t", arguments: {} } });
    expect(await client.next()).toMatchObject({ id: 1, result });
  });
});
