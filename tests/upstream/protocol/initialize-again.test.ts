// A client that initializes a second time on its connection: nothing of the first session reaches the second.
import { expect, test } from "bun:test";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { SseServer } from "../../support/sse-server.ts";
import { initializeResult } from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
const event = (message: object) => `data: ${JSON.stringify(message)}\n\n`;
const initialize = {
  protocolVersion: "2025-06-18",
  capabilities: {},
  clientInfo: { name: "again", version: "1" },
};

async function until(holds: () => boolean): Promise<void> {
  const endAt = performance.now() + 3000;
  while (!holds()) {
    if (performance.now() > endAt) throw new Error(`waited in vain for ${holds}`);
    await Bun.sleep(2);
  }
}

/** A session server; each request is noted as METHOD rpc-method session. */
function sessionServer() {
  const seen: string[] = [];
  const streams = new Map<string, ReadableStreamDefaultController<string>>();
  let sessions = 0;
  const url = serveHttp(async (request) => {
    const session = request.headers.get("mcp-session-id") ?? "-";
    const body =
      request.method === "POST"
        ? ((await request.json()) as { id?: unknown; method?: string })
        : {};
    seen.push(`${request.method} ${body.method ?? "-"} ${session}`);
    if (request.method === "DELETE") return new Response(null, { status: 204 });
    if (request.method === "GET") {
      const start = (controller: ReadableStreamDefaultController<string>) => {
        streams.set(session, controller);
        controller.enqueue(":\n\n");
      };
      const headers = { "content-type": "text/event-stream" };
      return new Response(new ReadableStream({ start }), { headers });
    }
    if (body.method !== "initialize")
      return body.id === undefined || body.method === undefined
        ? new Response(null, { status: 202 })
        : jsonRpc({ id: body.id, result: { session } });
    const answer = jsonRpc({ id: body.id, result: initializeResult });
    answer.headers.set("mcp-session-id", `s${++sessions}`);
    return answer;
  });
  return { url, seen, streams };
}

test("a second initialize ends the first session and moves the listening stream to the new one", async () => {
  const { url, seen, streams } = sessionServer();
  const client = chainClient(url, { transport: "http" });
  await client.start();
  await until(() => streams.has("s1"));
  streams.get("s1")!.enqueue(event({ jsonrpc: "2.0", id: "ask", method: "roots/list" }));
  const asked = await client.next();
  // In one write, as a client that does not wait for the answer.
  client.send({ id: "again", method: "initialize", params: initialize });
  client.send({ method: "notifications/initialized" });
  client.send({ id: "t", method: "tools/list" });
  expect((await client.next()).id).toBe("again");
  expect((await client.next()).result).toEqual({ session: "s2" });
  await until(() => streams.has("s2") && seen.includes("DELETE - s1"));
  // The answer to a request of the first session reaches neither.
  client.send({ id: asked.id, result: { roots: [] } });
  streams.get("s2")!.enqueue(event(changed));
  expect(await client.next()).toMatchObject(changed);
  expect((await client.call("ping")).at(-1).result).toEqual({ session: "s2" });
  const posted = seen.filter((line) => /^POST (?!initialize)/.test(line));
  expect(posted).toEqual([
    "POST notifications/initialized s1",
    "POST notifications/initialized s2",
    "POST tools/list s2",
    "POST ping s2",
  ]);
});

test("if the second initialize is refused, the messages behind it get its error, not the first session", async () => {
  let initializes = 0;
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as { id?: unknown; method: string };
    seen.push(method);
    if (method === "initialize" && ++initializes === 2) return new Response("no", { status: 418 });
    if (id === undefined) return new Response(null, { status: 202 });
    return jsonRpc({ id, result: method === "initialize" ? initializeResult : {} });
  });
  const client = chainClient(url, { transport: "http" });
  await client.start();
  client.send({ id: "again", method: "initialize", params: initialize });
  client.send({ id: "t", method: "tools/list" });
  const answers = [await client.next(), await client.next()];
  expect(answers.map(({ error }) => error.data.kind)).toEqual(["server-error", "server-error"]);
  expect(seen).not.toContain("tools/list");
  expect((await client.start()).result).toBeDefined();
  expect((await client.call("tools/list")).at(-1).result).toEqual({});
});

test.each(["auto", "sse"] as const)(
  "over HTTP+SSE with transport %s a second initialize closes the first stream",
  async (transport) => {
    const server = new SseServer({
      respond: ({ id, method }) => (id === undefined ? undefined : { id, result: { method } }),
    });
    const client = chainClient(new URL("/mcp", server.url), { transport, remembered: "sse" });
    await client.start();
    client.send({ id: "again", method: "initialize", params: initialize });
    client.send({ method: "notifications/initialized" });
    client.send({ id: "t", method: "tools/list" });
    expect((await client.next()).id).toBe("again");
    expect((await client.next()).result).toEqual({ method: "tools/list" });
    expect(server.streams).toBe(2);
    server.say(changed);
    expect(await client.next()).toMatchObject(changed);
  },
);

test("behind the stateless protocol a second initialize opens one subscription of its own", async () => {
  const open = new Set<ReadableStreamDefaultController<string>>();
  let opened = 0;
  const url = serveHttp(async (request) => {
    const { id, method } = (await request.json()) as { id?: unknown; method: string };
    if (method === "initialize")
      return jsonRpc({ id, error: { code: -32601, message: "no" } }, 404);
    if (method === "subscriptions/listen") {
      opened++;
      let own: ReadableStreamDefaultController<string>;
      const stream = new ReadableStream<string>({
        start(controller) {
          own = controller;
          open.add(controller);
          const acknowledged = {
            jsonrpc: "2.0",
            method: "notifications/subscriptions/acknowledged",
          };
          controller.enqueue(event(acknowledged));
        },
        cancel: () => void open.delete(own),
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }
    const capabilities = { tools: { listChanged: true } };
    return jsonRpc({ id, result: { supportedVersions: ["2026-07-28"], capabilities, tools: [] } });
  });
  const client = chainClient(url);
  await client.start();
  await until(() => open.size === 1);
  await client.start();
  await until(() => opened === 2 && open.size === 1);
  for (const stream of open) stream.enqueue(event(changed));
  expect((await client.next()).method).toBe(changed.method);
  expect((await client.call("tools/list")).at(-1).result.tools).toEqual([]);
});
