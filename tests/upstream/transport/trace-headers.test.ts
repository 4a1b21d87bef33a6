import { expect, test } from "bun:test";
import type { ServerSettings } from "../../../src/config/settings.ts";
import { serveHttp } from "../../support/serve-http.ts";
import { SseServer } from "../../support/sse-server.ts";
import { serveStateless } from "../../support/stateless-server.ts";
import { withHandshake } from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const context = { traceparent, tracestate: "rojo=1", baggage: "user=alice" };
const params = (meta?: object) => ({
  name: "work",
  arguments: { q: "traceparent baggage" },
  ...(meta && { _meta: meta }),
});

const names = ["traceparent", "tracestate", "baggage"];
const traceOf = (headers: Headers) =>
  Object.fromEntries(
    names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)]] : [])),
  );

/** The trace headers of a tool call of a session server. */
async function sentTo(changes: Partial<ServerSettings>, meta?: object): Promise<object> {
  let trace: object = {};
  const url = serveHttp(
    withHandshake((request, { id, method }) => {
      if (method !== "tools/call") return new Response(null, { status: 405 });
      trace = traceOf(request.headers);
      return Response.json({ jsonrpc: "2.0", id, result: {} });
    }),
  );
  const client = chainClient(url, { remembered: "streamable-http", ...changes });
  await client.start();
  await client.call("tools/call", params(meta));
  await client.end();
  return trace;
}

const { baggage: _, ...withoutBaggage } = context;

test.each<[string, Partial<ServerSettings>, object | undefined, object]>([
  ["traceparent and tracestate by default", {}, context, withoutBaggage],
  ["baggage where the entry asks for it", { trace: "baggage" }, context, context],
  ["baggage alone", { trace: "baggage" }, { baggage: "a=1" }, { baggage: "a=1" }],
  ["nothing where the entry switches it off", { trace: false }, context, {}],
  [
    "nothing that is not well-formed",
    { trace: "baggage" },
    { traceparent: "x", baggage: "\n" },
    {},
  ],
  ["nothing without _meta", { trace: "baggage" }, undefined, {}],
  [
    "a configured header and no other",
    { trace: "baggage", headers: { TraceParent: "own" } },
    context,
    {},
  ],
])("a session server gets %s", async (_name, changes, meta, expected) => {
  expect(await sentTo(changes, meta)).toEqual(expected);
});

test("the next call without a trace context carries none", async () => {
  const seen: object[] = [];
  const url = serveHttp(
    withHandshake((request, { id, method }) => {
      if (method !== "tools/call") return new Response(null, { status: 405 });
      seen.push(traceOf(request.headers));
      return Response.json({ jsonrpc: "2.0", id, result: {} });
    }),
  );
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  for (const meta of [
    context,
    undefined,
    { ...context, traceparent: traceparent.replace("4b", "5c") },
  ])
    await client.call("tools/call", params(meta));
  await client.end();
  const other = { ...withoutBaggage, traceparent: traceparent.replace("4b", "5c") };
  expect(seen).toEqual([withoutBaggage, {}, other]);
});

test("a stateless server gets them, from a client of either protocol", async () => {
  await using server = serveStateless();
  const client = chainClient(new URL(server.url));
  await client.start();
  await client.call("tools/call", params(context));
  expect(traceOf(server.headers())).toEqual(withoutBaggage);
  await client.call("tools/call", params());
  expect(traceOf(server.headers())).toEqual({});
  await client.end();
});

test("an HTTP+SSE server gets them", async () => {
  const server = new SseServer({ respond: ({ id }) => ({ id, result: {} }) });
  const client = chainClient(server.url, { transport: "sse", trace: "baggage" });
  await client.start();
  await client.call("tools/call", params(context));
  expect(traceOf(server.headers)).toEqual(context);
  await client.end();
});
