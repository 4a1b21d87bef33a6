// Two nodes behind a load balancer that tells them apart by a cookie.
import { expect, test } from "bun:test";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { initializeResult } from "../../support/streamable.ts";
import { chainClient } from "../../support/whole-chain.ts";

/** A round robin over two nodes, each of which knows its own sessions alone; a cookie leads back to a node. */
function twoNodes() {
  const sessions = [new Set<string>(), new Set<string>()];
  const cookies: (string | null)[] = [];
  let turn = 0;
  let initialized = 0;
  const url = serveHttp(async (request) => {
    const cookie = request.headers.get("cookie");
    cookies.push(cookie);
    const node = cookie === null ? turn++ % 2 : Number(/node=(\d)/.exec(cookie)?.[1]);
    const headers = { "set-cookie": `node=${node}; Path=/; HttpOnly` };
    const answer = (response: Response) => {
      response.headers.set("set-cookie", headers["set-cookie"]);
      return response;
    };
    if (request.method !== "POST") return answer(new Response(null, { status: 405 }));
    const { id, method } = (await request.json()) as { id?: number; method: string };
    if (method === "initialize") {
      const session = `s${initialized++}`;
      sessions[node]!.add(session);
      const response = jsonRpc({ id, result: initializeResult });
      response.headers.set("mcp-session-id", session);
      return answer(response);
    }
    if (!sessions[node]!.has(request.headers.get("mcp-session-id") ?? ""))
      return answer(new Response("no such session", { status: 404 }));
    if (id === undefined) return answer(new Response(null, { status: 202 }));
    return answer(jsonRpc({ id, result: { node } }));
  });
  return { url, cookies, sessions, started: () => initialized };
}

test("every request of a session reaches the node that holds it", async () => {
  const { url, started } = twoNodes();
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  for (let n = 0; n < 10; n++)
    expect(await client.call("tools/call")).toMatchObject([{ result: {} }]);
  expect(started()).toBe(1);
});

test("with cookies off none is sent", async () => {
  const { url, cookies } = twoNodes();
  const client = chainClient(url, { remembered: "streamable-http", cookies: false });
  await client.start();
  await client.call("tools/call");
  expect(new Set(cookies)).toEqual(new Set([null]));
});

test("a lost session drops the cookies, and its successor gets its own", async () => {
  const { url, cookies, sessions, started } = twoNodes();
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  await client.call("tools/call");
  // initialize, initialized, the listening stream, the call.
  while (cookies.length < 4) await Bun.sleep(1);
  for (const node of sessions) node.clear();
  const before = cookies.length;
  expect(await client.call("tools/call")).toMatchObject([{ result: { node: 1 } }]);
  expect(started()).toBe(2);
  // The refused call with the old cookie, initialize without one, and what follows with the new one.
  const [refused, initialize, ...others] = cookies.slice(before);
  expect([refused, initialize]).toEqual(["node=0", null]);
  expect(new Set(others)).toEqual(new Set(["node=1"]));
});
