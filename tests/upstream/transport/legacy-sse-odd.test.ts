import { expect, test } from "bun:test";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

interface Body {
  readonly id?: number | string;
  readonly method?: string;
}

/** A server of 2024-11-05 that does the handshake; `respond` answers the POSTs of all else. */
function serveSse(respond: (body: Body) => Response, earlyAnswer = "event: endpoint\ndata: m\n\n") {
  let stream!: ReadableStreamDefaultController;
  return serveHttp(async (request) => {
    if (request.method === "GET") {
      const start = (controller: ReadableStreamDefaultController) => {
        stream = controller;
        controller.enqueue(earlyAnswer);
      };
      const headers = { "content-type": "text/event-stream" };
      return new Response(new ReadableStream({ start }), { headers });
    }
    const body = (await request.json()) as Body;
    if (body.method !== "initialize") return respond(body);
    const result = { protocolVersion: "2024-11-05", capabilities: {} };
    stream.enqueue(`data: ${JSON.stringify({ jsonrpc: "2.0", id: body.id, result })}\n\n`);
    return new Response(null, { status: 202 });
  });
}

test.each<[string, (id: unknown) => Response, object]>([
  [
    "the server's own error to the POST",
    (id) => jsonRpc({ id, error: { code: -32601, message: "no such method" } }, 400),
    { error: { code: -32601, message: "no such method" } },
  ],
  ["an answer in the POST's body", (id) => jsonRpc({ id, result: { a: 1 } }), { result: { a: 1 } }],
])("%s reaches the client as it is", async (_, answer, told) => {
  const url = serveSse(({ id }) =>
    id === undefined ? new Response(null, { status: 202 }) : answer(id),
  );
  const client = chainClient(url, { transport: "sse" });
  await client.start();
  expect((await client.call("x/y")).at(-1)).toMatchObject(told);
});

test("a second endpoint event changes nothing", async () => {
  const earlyAnswer = "event: endpoint\ndata: m\n\nevent: endpoint\ndata: /elsewhere\n\n";
  const url = serveSse(({ id }) => jsonRpc({ id, result: {} }), earlyAnswer);
  const client = chainClient(url, { transport: "sse" });
  await client.start();
  expect((await client.call("x/y")).at(-1).result).toEqual({});
});

test.each([
  ["does not answer", undefined],
  ["names no place", ":\n\n"],
])("a stream that %s is given up with its initialize", async (_, said) => {
  const asked = Promise.withResolvers<void>();
  const abandon = Promise.withResolvers<void>();
  const url = serveHttp((request) => {
    request.signal.addEventListener("abort", () => abandon.resolve());
    asked.resolve();
    if (said === undefined) return new Promise<Response>(() => undefined);
    const start = (controller: ReadableStreamDefaultController) => controller.enqueue(said);
    const headers = { "content-type": "text/event-stream" };
    return new Response(new ReadableStream({ start }), { headers });
  });
  const client = chainClient(url, { transport: "sse" });
  client.send({ id: 0, method: "initialize", params: {} });
  await asked.promise;
  client.send({ method: "notifications/cancelled", params: { requestId: 0 } });
  await abandon.promise;
});
