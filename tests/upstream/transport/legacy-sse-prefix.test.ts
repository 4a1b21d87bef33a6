// A proxy serves a server of HTTP+SSE below a path that it takes off, and the server names its place without it.
import { expect, test } from "bun:test";
import { serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

/** A server whose stream is at `stream`, which names `place`; messages are taken at `takes` alone. */
function server(stream: string, place: string, takes: string) {
  const posts: string[] = [];
  let say: (text: string) => void = () => undefined;
  const base = serveHttp(async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method === "GET" && pathname === stream) {
      const start = (controller: ReadableStreamDefaultController) => {
        say = (text) => controller.enqueue(text);
        say(`event: endpoint\ndata: ${place}\n\n`);
      };
      return new Response(new ReadableStream({ start }), {
        headers: { "content-type": "text/event-stream" },
      });
    }
    if (request.method !== "POST") return new Response(null, { status: 404 });
    posts.push(pathname);
    if (pathname !== takes) return new Response("no such page", { status: 404 });
    const { id, method } = (await request.json()) as { id?: number; method: string };
    const result =
      method === "initialize" ? { protocolVersion: "2024-11-05", capabilities: {} } : {};
    if (id !== undefined) say(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
    return new Response("Accepted", { status: 202 });
  });
  return { url: new URL(stream, base), posts };
}

test.each([
  ["/team/kb/sse", "/messages?s=1", "/team/kb/messages", ["/messages", "/team/kb/messages"]],
  [
    "/team/kb/sse",
    "/kb/messages",
    "/team/kb/messages",
    ["/kb/messages", "/team/kb/kb/messages", "/team/kb/messages"],
  ],
  ["/team/kb/sse", "/team/kb/messages", "/team/kb/messages", ["/team/kb/messages"]],
  ["/team/kb/sse", "messages", "/team/kb/messages", ["/team/kb/messages"]],
  ["/sse", "/messages", "/messages", ["/messages"]],
])("at %s the message URL %s is found at %s", async (stream, place, takes, tried) => {
  const { url, posts } = server(stream, place, takes);
  const client = chainClient(url, { transport: "sse" });
  expect((await client.start()).result.protocolVersion).toBe("2024-11-05");
  await client.call("ping");
  expect(posts.slice(0, tried.length)).toEqual(tried);
  expect(new Set(posts.slice(tried.length))).toEqual(new Set([takes]));
  await client.upstream.close(100);
});

test("the lost prefix is logged and remembered, and forgotten once the server names the right URL", async () => {
  const { url, posts } = server("/team/kb/sse", "/messages", "/team/kb/messages");
  const first = chainClient(url, { transport: "sse" });
  await first.start();
  // The answer may be there before the response to the POST that asked for it.
  await first.call("ping");
  expect(first.events.filter((event) => event.includes("prefix"))).toHaveLength(1);
  expect(first.cache.get("lostPrefix")).toBe("/team/kb");
  await first.upstream.close(100);
  posts.length = 0;
  const second = chainClient(url, { transport: "sse", lostPrefix: "/team/kb" });
  await second.start();
  expect(posts[0]).toBe("/team/kb/messages");
  await second.upstream.close(100);
  const mended = server("/team/kb/sse", "/messages", "/messages");
  const third = chainClient(mended.url, { transport: "sse", lostPrefix: "/team/kb" });
  await third.start();
  await third.call("ping");
  expect(mended.posts.slice(0, 2)).toEqual(["/team/kb/messages", "/messages"]);
  expect(third.cache.get("lostPrefix")).toBeUndefined();
  await third.upstream.close(100);
});

test("a message URL that no prefix repairs is not found, after few attempts", async () => {
  const { url, posts } = server("/a/b/c/d/e/f/sse", "/messages", "/nowhere");
  const client = chainClient(url, { transport: "sse" });
  expect((await client.start()).error.data.kind).toBe("server-not-found");
  expect(posts.length).toBe(4);
});
