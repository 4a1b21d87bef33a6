import { expect, test } from "bun:test";
import { events, jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { handshake, opened, streamableClient } from "../../support/streamable.ts";

interface Body {
  readonly id?: number | string;
  readonly method?: string;
  readonly result?: object;
}

test("a session that could not be replaced at once is replaced by the next call", async () => {
  let initializations = 0;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    const session = request.headers.get("mcp-session-id");
    if (method === "initialize") {
      initializations++;
      if (initializations === 2) return new Response("busy", { status: 500 });
      return opened(id, `s${initializations}`);
    }
    if (id === undefined) return new Response(null, { status: 202 });
    if (session === "s1") return new Response("gone", { status: 404 });
    if (session === null) return new Response("no session", { status: 400 });
    return jsonRpc({ id, result: { session } });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "ping" });
  expect((await client.next()).error.code).toBe(1500);
  client.send({ id: 2, method: "ping" });
  expect((await client.next()).result).toEqual({ session: "s3" });
});

test.each([
  ["finds the session lost", false],
  ["comes after another call found the session lost", true],
])("an answer to the server that %s does not reach the next session", async (_, isReplaced) => {
  const responses: string[] = [];
  let sessions = 0;
  const isLost = (session: string | null) => session === "s1" && isRestarted;
  let isRestarted = false;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, result } = (await request.json()) as Body;
    const session = request.headers.get("mcp-session-id");
    if (method === "initialize") return opened(id, `s${++sessions}`);
    if (isLost(session)) return new Response("gone", { status: 404 });
    if (method === undefined) responses.push(`${session} ${JSON.stringify(result)}`);
    if (id === undefined || method === undefined) return new Response(null, { status: 202 });
    if (method === "x/ask") return events({ id: "q", method: "roots/list" }, { id, result: {} });
    return jsonRpc({ id, result: { session } });
  });
  const client = streamableClient(url);
  await handshake(client);
  client.send({ id: 1, method: "x/ask" });
  const lost = await client.next();
  expect(lost.method).toBe("roots/list");
  expect((await client.next()).id).toBe(1);
  isRestarted = true;
  if (isReplaced) {
    client.send({ id: 2, method: "ping" });
    expect((await client.next()).result).toEqual({ session: "s2" });
  }
  client.send({ id: lost.id, result: { roots: [] } });
  // Behind it, so that it has had its time.
  client.send({ id: 4, method: "ping" });
  expect((await client.next()).id).toBe(4);
  client.send({ id: 3, method: "x/ask" });
  const asked = await client.next();
  expect((await client.next()).id).toBe(3);
  client.send({ id: asked.id, result: { roots: [1] } });
  while (responses.length === 0) await Bun.sleep(1);
  expect(responses).toEqual(['s2 {"roots":[1]}']);
});

test("a server that never says that it took `initialized` is asked on after a third of a call's time", async () => {
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    if (method === "initialize") return opened(id, "s1");
    if (id === undefined) return new Promise<Response>(() => undefined);
    return jsonRpc({ id, result: {} });
  });
  const client = streamableClient(url, undefined, 1500);
  client.send({ id: 0, method: "initialize", params: {} });
  expect((await client.next()).id).toBe(0);
  client.send({ method: "notifications/initialized" });
  client.send({ id: 1, method: "ping" });
  expect((await client.next()).result).toEqual({});
});
