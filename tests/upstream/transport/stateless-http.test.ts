import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { ToolTable } from "../../../src/upstream/core/tool-table.ts";
import type { Endpoint } from "../../../src/upstream/transport/endpoint.ts";
import { ReadBudget } from "../../../src/upstream/transport/read-budget.ts";
import { StatelessHttp } from "../../../src/upstream/transport/stateless-http.ts";
import { requestOf } from "../../../src/wire/message.ts";
import { FaultServer } from "../../fault/support/server.ts";
import { memoryLog } from "../../support/client.ts";
import { events, jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

const _meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

interface Body {
  readonly id?: number | string;
  readonly method: string;
  readonly params: { readonly cursor?: string; readonly _meta?: Record<string, unknown> };
}

/** A stateless server; every request's body and headers are kept. */
function serveStateless(answer: (body: Body, request: Request) => Response | Promise<Response>) {
  const seen: { readonly body: Body; readonly headers: Headers }[] = [];
  const url = serveHttp(async (request) => {
    const body = (await request.json()) as Body;
    seen.push({ body, headers: request.headers });
    return answer(body, request);
  });
  return { url, seen };
}

test.each([
  ["tools/call", { name: "grüezi" }, "=?base64?Z3LDvGV6aQ==?="],
  ["prompts/get", { name: "p" }, "p"],
  ["resources/read", { uri: "file:///a b" }, "file:///a b"],
  ["tasks/get", { taskId: "t-1" }, "t-1"],
  ["tools/list", { name: "not this" }, null],
])(
  "%s carries its method, its subject and its revision in headers",
  async (method, params, name) => {
    const { url, seen } = serveStateless(({ id }) => jsonRpc({ id, result: {} }));
    const client = chainClient(url, { remembered: "stateless-http" });
    await client.call(method, { ...params, _meta });
    const { headers } = seen[0]!;
    expect(headers.get("mcp-method")).toBe(method);
    expect(headers.get("mcp-name")).toBe(name);
    expect(headers.get("mcp-protocol-version")).toBe("2026-07-28");
    expect(headers.get("accept")).toBe("application/json, text/event-stream");
    expect(headers.get("mcp-session-id")).toBeNull();
    expect(seen).toHaveLength(1);
  },
);

test("after a header mismatch the tools are listed anew, page by page, and the call sent once more", async () => {
  const inputSchema = { properties: { r: { type: "string", "x-mcp-header": "R" } } };
  const { url, seen } = serveStateless(({ id, method, params }, { headers }) => {
    if (method === "tools/list")
      return params.cursor === undefined
        ? jsonRpc({ id, result: { tools: [], nextCursor: "2" } })
        : jsonRpc({ id, result: { tools: [{ name: "t", inputSchema }] } });
    if (headers.get("mcp-param-r") === "v") return jsonRpc({ id, result: { ok: true } });
    return jsonRpc({ id, error: { code: -32020, message: "mismatch" } }, 400);
  });
  const client = chainClient(url, { remembered: "stateless-http" });
  const meta = { ..._meta, progressToken: 7 };
  const came = await client.call("tools/call", { name: "t", arguments: { r: "v" }, _meta: meta });
  expect(came.at(-1).result).toEqual({ ok: true });
  expect(seen.map(({ body }) => body.method)).toEqual([
    ...["tools/call", "tools/list", "tools/list", "tools/call"],
  ]);
  expect(seen[1]!.body.params._meta).toEqual(_meta);
});

test.each([
  ["never advances", () => "1"],
  ["leads back", (cursor: string | undefined) => (cursor === "1" ? "2" : "1")],
])(
  "a cursor that %s ends the new list of the tools, and the call is sent once more",
  async (_, next) => {
    const { url, seen } = serveStateless(({ id, method, params: { cursor } }) => {
      if (method !== "tools/list" || seen.length > 10)
        return jsonRpc({ id, error: { code: -32020, message: "mismatch" } }, 400);
      return jsonRpc({ id, result: { tools: [], nextCursor: next(cursor) } });
    });
    const client = chainClient(url, { remembered: "stateless-http" });
    const came = await client.call("tools/call", { name: "t", _meta });
    expect(came.at(-1).error.code).toBe(-32020);
    const cursors = seen.slice(1, -1).map(({ body }) => body.params.cursor);
    expect(cursors).toEqual([...new Set([undefined, "1", next("1")])]);
    expect(seen.at(-1)!.body.method).toBe("tools/call");
  },
);

test.each([
  ["still does not match", (id: unknown) => jsonRpc({ id, result: { tools: [] } })],
  ["cannot be listed", (id: unknown) => jsonRpc({ id, error: { code: 1, message: "" } })],
])(
  "a call whose headers never match, because the tool %s, gets the server's error",
  async (_, list) => {
    const { url } = serveStateless(({ id, method }) =>
      method === "tools/list"
        ? list(id)
        : jsonRpc({ id, error: { code: -32020, message: "mismatch" } }, 400),
    );
    const client = chainClient(url, { remembered: "stateless-http" });
    const came = await client.call("tools/call", { name: "t", _meta });
    expect(came.at(-1).error).toEqual({ code: -32020, message: "mismatch" });
  },
);

test("tools with invalid header annotations are left out of the list, and told to the log", async () => {
  const bad = { name: "bad", inputSchema: { properties: { r: { "x-mcp-header": "" } } } };
  const tools = [bad, { name: "good", inputSchema: {} }, { ...bad, name: "worse" }];
  const { url } = serveStateless(({ id }) => events({ id, result: { tools } }));
  const client = chainClient(url, { remembered: "stateless-http" });
  const came = await client.call("tools/list", { _meta });
  expect(came.at(-1).result.tools).toEqual([tools[1]]);
  expect(client.events.filter((one) => one.startsWith("invalid tool left out"))).toHaveLength(2);
});

test.each([
  ["400 with its id", 400, 0],
  ["404 with its id", 404, 0],
  ["400 without an id", 400, null],
])("an error on %s reaches the client word for word", async (_, status, id) => {
  const error = { code: -32022, message: "m", data: { supported: ["x"] } };
  const { url } = serveStateless(() => jsonRpc({ id, error }, status));
  const client = chainClient(url, { remembered: "stateless-http" });
  expect((await client.call("ping", { _meta })).at(-1)).toEqual({ jsonrpc: "2.0", id: 0, error });
});

test.each<[string, () => Response, number]>([
  ["a stream that ends early", () => events({ method: "notifications/progress" }), 1504],
  ["another's answer", () => jsonRpc({ id: "other", result: {} }), 1502],
  ["a page", () => new Response("<p>", { headers: { "content-type": "text/html" } }), 1502],
  ["nothing", () => new Response(null, { status: 202 }), 1502],
  [
    "an empty answer",
    () => new Response("", { headers: { "content-type": "application/json" } }),
    1502,
  ],
  ["a redirect elsewhere", () => Response.redirect("https://elsewhere.example/", 302), 1451],
  ["500", () => new Response("broken", { status: 500 }), 1500],
  ["404 as text", () => new Response("no", { status: 404 }), 1404],
])("%s becomes an error of the bridge", async (_, answer, code) => {
  const { url } = serveStateless(answer);
  const client = chainClient(url, { remembered: "stateless-http" });
  expect((await client.call("tools/list", { _meta })).at(-1).error.code).toBe(code);
});

test("a cancelled call is aborted without a POST, and the client's responses are not sent", async () => {
  const abandon = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const { url, seen } = serveStateless(({ id, method }, request) => {
    if (method === "ping") return jsonRpc({ id, result: {} });
    request.signal.addEventListener("abort", () => abandon.resolve());
    begun.resolve();
    const body = new ReadableStream({ start: (controller) => controller.enqueue(":\n\n") });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const client = chainClient(url, { remembered: "stateless-http" });
  client.send({ id: "c", method: "tools/call", params: { name: "t", _meta } });
  await begun.promise;
  client.send({ method: "notifications/cancelled", params: { requestId: "c" } });
  await abandon.promise;
  client.send({ method: "notifications/cancelled", params: { requestId: "never was" } });
  client.send({ id: "q", result: {} });
  await client.call("ping", { _meta });
  expect(seen.map(({ body }) => body.method)).toEqual(["tools/call", "ping"]);
  expect(client.rest).toEqual([]);
});

test("a subscription outlives the deadline of calls, and ends without an answer", async () => {
  const asked = Promise.withResolvers<void>();
  const abandon = Promise.withResolvers<void>();
  const { url } = serveStateless((_, request) => {
    request.signal.addEventListener("abort", () => abandon.resolve());
    asked.resolve();
    const said = { jsonrpc: "2.0", method: "notifications/subscriptions/acknowledged" };
    const start = (controller: ReadableStreamDefaultController) =>
      controller.enqueue(`data: ${JSON.stringify(said)}\n\n`);
    const headers = { "content-type": "text/event-stream" };
    return new Response(new ReadableStream({ start }), { headers });
  });
  const client = chainClient(url, { remembered: "stateless-http" });
  client.send({ id: 1, method: "subscriptions/listen", params: { notifications: {}, _meta } });
  await asked.promise;
  expect((await client.next()).method).toBe("notifications/subscriptions/acknowledged");
  expect(await client.relay.finish(1000)).toBe(true);
  await abandon.promise;
  expect(client.rest).toEqual([]);
});

test("a subscription that falls silent is sent again, and the client gets one acknowledgement", async () => {
  const asked: string[] = [];
  const onResponseHeaders: unknown[] = [];
  const stop = new AbortController();
  const request = async ({ body }: { readonly body: Uint8Array }) => {
    asked.push(new TextDecoder().decode(body));
    const told = ["notifications/subscriptions/acknowledged", `notifications/n${asked.length}`];
    const text = told.map((method) => `data: {"jsonrpc":"2.0","method":"${method}"}\n\n`).join("");
    const start = (one: ReadableStreamDefaultController) =>
      one.enqueue(new TextEncoder().encode(text));
    const headers = { "content-type": "text/event-stream" };
    return new Response(new ReadableStream({ start }), { headers });
  };
  const transport = new StatelessHttp({
    name: "s",
    endpoint: { request, url: new URL("http://x/") } as unknown as Endpoint,
    tools: new ToolTable(),
    ids: new RequestIds(),
    log: memoryLog(),
    redactor: new Redactor(),
    limit: 1000,
    budget: new ReadBudget(),
    idleMs: 20,
    isRepeatable: () => false,
  });
  const take = async ({ head }: { readonly head: { readonly method?: string } }) => {
    onResponseHeaders.push(head.method);
    if (onResponseHeaders.length === 4) stop.abort({ by: "closing" });
  };
  await transport
    .send(requestOf('"l"', "subscriptions/listen", "{}"), take, stop.signal)
    .catch(() => undefined);
  const acknowledged = "notifications/subscriptions/acknowledged";
  const [first, second, third] = ["notifications/n1", "notifications/n2", "notifications/n3"];
  expect(onResponseHeaders).toEqual([acknowledged, first, second, third]);
  expect(new Set(asked).size).toBe(1);
});

test.each([
  ["tasks/update", 3],
  ["tools/call", 3],
  ["tools/list", 1],
  ["resources/read", 1],
])(
  "%s, where it may not be executed twice, takes no connection the server may be closing",
  async (method, expected) => {
    using server = new FaultServer({ headers: { "Keep-Alive": "timeout=1" } }).start();
    const client = chainClient(new URL(server.url), { remembered: "stateless-http" });
    for (let n = 0; n < 3; n++) await client.call(method, { name: "n", _meta });
    expect(server.connections).toHaveLength(expected);
  },
);
