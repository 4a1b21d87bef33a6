import { expect, test } from "bun:test";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { initializeResult } from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

const _meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "stateless-client", version: "2" },
  "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
};

interface Body {
  readonly id?: number | string;
  readonly method?: string;
  readonly params: { readonly name: string };
  readonly result?: unknown;
  readonly error?: { readonly code: number };
}

type Stream = ReadableStreamDefaultController;

const say = (message: object) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;

function stream(opened: (stream: Stream) => void): Response {
  const start = (one: Stream) => {
    one.enqueue(":\n\n");
    opened(one);
  };
  const headers = { "content-type": "text/event-stream" };
  return new Response(new ReadableStream({ start }), { headers });
}

/** A session server whose calls stay open for the test to speak in; `answered` waits for what it was told under an id. */
function serveLegacy() {
  const open = new Map<string, { readonly id: unknown; readonly stream: Stream }>();
  const told = new Map<unknown, Body>();
  let listening: Stream | undefined;
  const url = serveHttp(async (request) => {
    if (request.method === "GET") return stream((one) => (listening = one));
    const body = (await request.json()) as Body;
    const { id, method, params } = body;
    if (method === undefined) told.set(id, body);
    if (method === undefined || id === undefined) return new Response(null, { status: 202 });
    if (method === "server/discover") return jsonRpc({ id, error: { code: -32601, message: "" } });
    if (method === "initialize") return jsonRpc({ id, result: initializeResult });
    return stream((one) => open.set(params.name ?? method, { id, stream: one }));
  });
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await Bun.sleep(1);
    }
  };
  return {
    url,
    listening: () => until(() => listening),
    call: (name: string) => until(() => open.get(name)),
    answered: (id: string) => until(() => told.get(id)),
  };
}

test.each(["in the call's stream", "on the listening stream"])(
  "a ping and what no client knows are answered here, %s; the call goes on",
  async (where) => {
    const server = serveLegacy();
    const client = chainClient(server.url);
    client.send({ id: "c", method: "tools/call", params: { name: "t", _meta } });
    const call = await server.call("t");
    const speaking = where === "in the call's stream" ? call.stream : await server.listening();
    speaking.enqueue(say({ id: "p", method: "ping" }));
    speaking.enqueue(say({ id: "x", method: "x/unknown" }));
    expect((await server.answered("p")).result).toEqual({});
    expect((await server.answered("x")).error?.code).toBe(-32601);
    call.stream.enqueue(say({ id: call.id, result: { content: [] } }));
    expect((await client.next()).result).toEqual({ content: [], resultType: "complete" });
  },
);

test("a question outside of any call goes to a call that may be asked, never to a later list request", async () => {
  const server = serveLegacy();
  const client = chainClient(server.url);
  client.send({ id: "l", method: "tools/list", params: { _meta } });
  await server.call("tools/list");
  const listening = await server.listening();
  const question = { method: "elicitation/create", params: { message: "m" } };
  listening.enqueue(say({ id: "q1", ...question }));
  expect((await server.answered("q1")).error?.code).toBe(-32601);
  client.send({ id: "c", method: "tools/call", params: { name: "t", _meta } });
  await server.call("t");
  client.send({ id: "r", method: "resources/list", params: { _meta } });
  await server.call("resources/list");
  listening.enqueue(say({ id: "q2", ...question }));
  const asked = await client.next();
  expect(asked.id).toBe("c");
  expect(asked.result.inputRequests.question).toEqual(question);
  expect(client.rest).toEqual([]);
});
