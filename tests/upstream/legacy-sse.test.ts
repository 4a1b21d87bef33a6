import { expect, test } from "bun:test";
import { serveHttp } from "../support/serve-http.ts";
import { chainClient } from "../support/whole-chain.ts";

interface Body {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

/** A server of 2024-11-05: what `respond` returns goes over the newest stream. */
class SseServer {
  readonly posts: Body[] = [];
  streams = 0;
  #controller: ReadableStreamDefaultController | undefined;
  readonly url: URL;

  readonly #place: (n: number) => string;

  constructor(
    respond: (body: Body, server: SseServer) => object | undefined,
    place = (n: number) => `/message?s=${n}`,
  ) {
    this.#place = place;
    this.url = serveHttp(async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/mcp" && request.method === "GET") return this.#open();
      if (pathname !== "/message") return new Response("no", { status: 404 });
      if (Number(searchParams.get("s")) !== this.streams)
        return new Response("no such session", { status: 404 });
      const body = (await request.json()) as Body;
      this.posts.push(body);
      const answer =
        body.method === "initialize"
          ? { id: body.id, result: { protocolVersion: "2024-11-05", capabilities: {} } }
          : respond(body, this);
      if (answer !== undefined) this.say(answer);
      return new Response("Accepted", { status: 202 });
    });
  }

  say(message: object): void {
    const text = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#controller?.enqueue(`event: message\r\ndata: ${text}\r\n\r\n`);
  }

  drop(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  #open(): Response {
    const n = ++this.streams;
    const start = (controller: ReadableStreamDefaultController) => {
      this.#controller = controller;
      controller.enqueue(`event: endpoint\ndata: ${this.#place(n)}\n\n`);
    };
    const headers = { "content-type": "text/event-stream; charset=utf-8" };
    return new Response(new ReadableStream({ start }), { headers });
  }
}

const echo = ({ id, params }: Body) =>
  id === undefined ? undefined : { id, result: params ?? {} };

test.each(["auto", "sse"] as const)(
  "requests are posted where the server says, answers come over its stream (%s)",
  async (transport) => {
    const server = new SseServer(echo);
    const client = chainClient(server.url, { transport });
    expect((await client.start()).result.protocolVersion).toBe("2024-11-05");
    expect((await client.call("x/y", { a: 1 })).at(-1).result).toEqual({ a: 1 });
    expect(client.memory.get("way")).toBe(transport === "auto" ? "sse" : undefined);
    expect(server.posts.map(({ method }) => method)).toEqual([
      ...["initialize", "notifications/initialized", "x/y"],
    ]);
    await client.upstream.close(100);
  },
);

test("the server's own messages and questions reach the client, whose answers are posted", async () => {
  const answered = Promise.withResolvers<Body>();
  const server = new SseServer((body) => {
    if (body.method === undefined) answered.resolve(body);
    return echo(body);
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  await client.call("ping");
  server.say({ method: "notifications/tools/list_changed" });
  server.say({ id: "q", method: "roots/list" });
  expect((await client.next()).method).toBe("notifications/tools/list_changed");
  expect((await client.next()).method).toBe("roots/list");
  client.send({ id: "q", result: { roots: [] } });
  expect((await answered.promise).id).toBe("q");
});

test("a place for messages on another origin is refused: the credential would go there", async () => {
  const server = new SseServer(echo, () => "https://elsewhere.example/message");
  const client = chainClient(server.url, { transport: "sse" });
  const { error } = await client.start();
  expect(error.code).toBe(1451);
  expect(error.message).toContain("another origin");
  expect(server.posts).toEqual([]);
});

test("a stream that ends answers what waits with outcome-unknown, and the session is made anew", async () => {
  const server = new SseServer((body, self) => {
    if (body.method !== "x/drop") return echo(body);
    self.drop();
    return undefined;
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  expect((await client.call("x/drop")).at(-1).error.code).toBe(1504);
  expect((await client.call("x/y", { b: 2 })).at(-1).result).toEqual({ b: 2 });
  expect(server.streams).toBe(2);
  expect(server.posts.filter(({ method }) => method === "initialize")).toHaveLength(2);
});

test("a stream that ends while nobody calls is opened again, so that the server is heard", async () => {
  const server = new SseServer(echo);
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  await client.call("ping");
  server.drop();
  while (server.posts.filter(({ method }) => method === "notifications/initialized").length < 2)
    await Bun.sleep(1);
  server.say({ method: "notifications/message" });
  expect((await client.next()).method).toBe("notifications/message");
});

test("a cancelled call is told to the server", async () => {
  const told = Promise.withResolvers<Body>();
  const asked = Promise.withResolvers<void>();
  const server = new SseServer((body) => {
    if (body.method === "notifications/cancelled") told.resolve(body);
    if (body.method === "x/slow") asked.resolve();
    return body.method === "x/slow" ? undefined : echo(body);
  });
  const client = chainClient(server.url, { transport: "sse" });
  await client.start();
  client.send({ id: "c", method: "x/slow" });
  await asked.promise;
  client.send({ method: "notifications/cancelled", params: { requestId: "c", reason: "r" } });
  expect((await told.promise).params).toEqual({ requestId: "c", reason: "r" });
});

test.each<[string, () => Response, number]>([
  ["answers 500", () => new Response("broken", { status: 500 }), 1500],
  ["answers a page", () => new Response("<p>", { headers: { "content-type": "text/html" } }), 1502],
  [
    "ends its stream at once",
    () => new Response("", { headers: { "content-type": "text/event-stream" } }),
    1502,
  ],
])("a server that %s is told as that", async (_, answer, code) => {
  const client = chainClient(serveHttp(answer), { transport: "sse" });
  expect((await client.start()).error.code).toBe(code);
});
