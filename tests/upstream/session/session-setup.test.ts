import { expect, test } from "bun:test";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { opened } from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

interface Body {
  readonly id?: number | string;
  readonly method: string;
  readonly params: { readonly uri?: string; readonly level?: string };
}

/** A server whose sessions end when the test says so; every POST is kept with its session, and every DELETE. */
function serveSessions(refusal: () => Response) {
  const seen: string[] = [];
  let sessions = 0;
  let known = "";
  const url = serveHttp(async (request) => {
    const session = request.headers.get("mcp-session-id");
    if (request.method === "DELETE") seen.push(`${session} DELETE`);
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = (await request.json()) as Body;
    const what = params?.uri ?? params?.level ?? "";
    seen.push(`${session} ${method} ${what}`.trim());
    if (method === "initialize") {
      known = `s${++sessions}`;
      return opened(id, known);
    }
    if (id === undefined) return new Response(null, { status: 202 });
    if (session !== known) return refusal();
    if (what === "no:1") return jsonRpc({ id, error: { code: -32602, message: "no" } });
    return jsonRpc({ id, result: {} });
  });
  const lose = () => {
    known = "none";
    seen.length = 0;
  };
  return { url, seen, lose };
}

const gone = () => new Response("gone", { status: 404 });

test("log level and subscriptions of a lost session are set in the next one before any other request", async () => {
  const { url, seen, lose } = serveSessions(gone);
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  for (const uri of ["a:1", "b:1", "no:1"]) await client.call("resources/subscribe", { uri });
  await client.call("resources/unsubscribe", { uri: "a:1" });
  for (const level of ["error", "debug"]) await client.call("logging/setLevel", { level });
  lose();
  expect((await client.call("ping")).at(-1).result).toEqual({});
  expect(seen.slice(0, 3)).toEqual(["s1 ping", "null initialize", "s2 notifications/initialized"]);
  expect(seen.slice(3, 5).sort()).toEqual([
    "s2 logging/setLevel debug",
    "s2 resources/subscribe b:1",
  ]);
  expect(seen.slice(5)).toEqual(["s2 ping"]);
  expect(client.rest).toEqual([]);
});

test("a new initialize forgets the client's log level and subscriptions", async () => {
  const { url, seen, lose } = serveSessions(gone);
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  await client.call("logging/setLevel", { level: "debug" });
  await client.start();
  lose();
  await client.call("ping");
  expect(seen).not.toContain("s3 logging/setLevel debug");
});

test("a subscription at a session server gets changes after the session was lost", async () => {
  const streams: ReadableStreamDefaultController[] = [];
  let sessions = 0;
  const subscribed = new Set<string>();
  const url = serveHttp(async (request) => {
    const session = request.headers.get("mcp-session-id");
    if (request.method === "GET") {
      if (session !== `s${sessions}`) return gone();
      const start = (stream: ReadableStreamDefaultController) => {
        streams.push(stream);
        stream.enqueue("retry: 10\n\n");
      };
      const headers = { "content-type": "text/event-stream" };
      return new Response(new ReadableStream({ start }), { headers });
    }
    const { id, method } = (await request.json()) as Body;
    if (method === "server/discover") return jsonRpc({ id, error: { code: -32601, message: "" } });
    if (method === "initialize") return opened(id, `s${++sessions}`);
    if (method === "resources/subscribe") subscribed.add(session!);
    return id === undefined ? new Response(null, { status: 202 }) : jsonRpc({ id, result: {} });
  });
  const client = chainClient(url);
  const uri = "a:1";
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
  const notifications = { resourceSubscriptions: [uri] };
  client.send({ id: "l", method: "subscriptions/listen", params: { notifications, _meta } });
  expect((await client.next()).method).toBe("notifications/subscriptions/acknowledged");
  while (streams.length < 1) await Bun.sleep(1);
  sessions = 7;
  streams[0]!.close();
  while (streams.length < 2) await Bun.sleep(1);
  expect([...subscribed]).toEqual(["s1", "s8"]);
  const updated = { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } };
  streams[1]!.enqueue(`data: ${JSON.stringify(updated)}\n\n`);
  expect((await client.next()).params.uri).toBe(uri);
});

/** A server that knows every session of its own and refuses some methods, as if the session were lost. */
function serveRefusing(refuse: () => Response, idOf = (n: number) => `s${n}`) {
  const deleted: unknown[] = [];
  let sessions = 0;
  const url = serveHttp(async (request) => {
    if (request.method === "DELETE") deleted.push(request.headers.get("mcp-session-id"));
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    if (method === "initialize") return opened(id, idOf(++sessions));
    if (id === undefined) return new Response(null, { status: 202 });
    return method.startsWith("x/refused") ? refuse() : jsonRpc({ id, result: {} });
  });
  return { url, deleted, sessions: () => sessions };
}

const refusals: [string, () => Response, number][] = [
  ["401", () => new Response("no", { status: 401 }), 1402],
  ["404", gone, 1404],
];

test.each(refusals)(
  "a session replaced in vain, for a call refused with %s, is ended once no call can be under way in it",
  async (_, refuse, code) => {
    const { url, deleted } = serveRefusing(refuse);
    const client = chainClient(url, { remembered: "streamable-http", timeoutMs: 50 });
    await client.start();
    expect((await client.call("x/refused")).at(-1).error.code).toBe(code);
    while (deleted.length === 0) await Bun.sleep(1);
    expect((await client.call("ping")).at(-1).result).toEqual({});
    expect(deleted).toEqual(["s1"]);
  },
);

test.each(refusals)(
  "calls that are refused with %s again and again leave no more than a few sessions behind, and those end with the bridge",
  async (_, refuse) => {
    const { url, deleted, sessions } = serveRefusing(refuse);
    const client = chainClient(url, { remembered: "streamable-http" });
    await client.start();
    for (let calls = 0; calls < 20; calls++) await client.call(`x/refused/${calls}`);
    while (deleted.length < 12) await Bun.sleep(1);
    expect(sessions() - deleted.length).toBeLessThan(10);
    await client.upstream.close(1000);
    expect(new Set(deleted).size).toBe(sessions());
  },
);

test("a replaced session is not ended if the new session has the same id", async () => {
  const { url, deleted } = serveRefusing(gone, () => "same");
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  await client.call("x/refused");
  await client.upstream.close(1000);
  expect(deleted).toEqual(["same"]);
});

test("a session that was lost is not ended", async () => {
  const { url, seen, lose } = serveSessions(gone);
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  lose();
  await client.call("ping");
  await client.upstream.close(1000);
  expect(seen.filter((one) => one.endsWith("DELETE"))).toEqual(["s2 DELETE"]);
});
