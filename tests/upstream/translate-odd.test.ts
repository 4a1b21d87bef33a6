import { expect, test } from "bun:test";
import { events, jsonRpc, serveHttp } from "../support/serve-http.ts";
import { chainClient } from "../support/whole-chain.ts";

interface Body {
  readonly id: number | string;
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly params: any;
}

/** A modern-only server that can be subscribed to. */
function serveModern(answer: (body: Body) => Response | Promise<Response>) {
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    const body = (await request.json()) as Body;
    const capabilities = { tools: {}, resources: { subscribe: true } };
    const result = { supportedVersions: ["2026-07-28"], capabilities };
    if (body.method === "server/discover") return jsonRpc({ id: body.id, result });
    seen.push(body.method);
    return answer(body);
  });
  return { url, seen };
}

test("one request of a batch that fails leaves the others their answers", async () => {
  const failed = Promise.withResolvers<void>();
  const { url } = serveModern(async ({ id, method }) => {
    if (method === "x/fail") {
      setTimeout(failed.resolve, 50);
      return new Response("broken", { status: 500 });
    }
    await failed.promise;
    return jsonRpc({ id, result: { late: true } });
  });
  const client = chainClient(url);
  await client.start({}, "2025-03-26");
  const part = (id: string, method: string) => ({ jsonrpc: "2.0", id, method });
  client.write(`${JSON.stringify([part("a", "x/fail"), part("b", "x/late")])}\n`);
  const came = [await client.next(), await client.next()];
  expect(came.find(({ id }) => id === "a").error.code).toBe(1500);
  expect(came.find(({ id }) => id === "b").result).toEqual({ late: true });
});

test("a result that wants input and says neither which nor where it stands is sent once", async () => {
  const { url, seen } = serveModern(({ id }) =>
    jsonRpc({ id, result: { resultType: "input_required" } }),
  );
  const client = chainClient(url);
  await client.start();
  expect((await client.call("tools/call", { name: "t" })).at(-1).error.code).toBe(1502);
  expect(seen).toEqual(["tools/call"]);
});

test("where one question cannot be answered, the call ends while another is still open", async () => {
  const inputRequests = {
    e: { method: "elicitation/create", params: { message: "m" } },
    s: { method: "sampling/createMessage" },
  };
  const { url } = serveModern(({ id }) =>
    jsonRpc({ id, result: { resultType: "input_required", inputRequests } }),
  );
  const client = chainClient(url, { timeoutMs: 1000 });
  await client.start({ elicitation: {} });
  const came = await client.call("tools/call", { name: "t" });
  expect(came.map(({ method }) => method)).toEqual(["elicitation/create", undefined]);
  expect(came[1].error.code).toBe(1451);
});

test("subscriptions made at once are all answered when the server has taken them", async () => {
  const { url } = serveModern(({ id, method }) => {
    if (method !== "subscriptions/listen") return jsonRpc({ id, result: {} });
    const said = { jsonrpc: "2.0", method: "notifications/subscriptions/acknowledged" };
    const start = (controller: ReadableStreamDefaultController) =>
      controller.enqueue(`data: ${JSON.stringify(said)}\n\n`);
    const headers = { "content-type": "text/event-stream" };
    return new Response(new ReadableStream({ start }), { headers });
  });
  const client = chainClient(url);
  await client.start();
  const startedAt = performance.now();
  for (const uri of ["a:1", "a:2", "a:3"])
    client.send({ id: uri, method: "resources/subscribe", params: { uri } });
  const ids = [(await client.next()).id, (await client.next()).id, (await client.next()).id];
  expect(ids.sort()).toEqual(["a:1", "a:2", "a:3"]);
  expect(performance.now() - startedAt).toBeLessThan(4000);
});

test("a listening stream that the server refuses for now is asked for again", async () => {
  const heard = Promise.withResolvers<void>();
  let listens = 0;
  const { url } = serveModern(({ id, method }) => {
    if (method !== "subscriptions/listen") return jsonRpc({ id, result: {} });
    if (++listens === 1) return jsonRpc({ id, error: { code: -32603, message: "later" } }, 500);
    heard.resolve();
    return events({ method: "notifications/subscriptions/acknowledged" });
  });
  const client = chainClient(url);
  await client.start();
  const startedAt = performance.now();
  await client.call("resources/subscribe", { uri: "a:1" });
  expect(performance.now() - startedAt).toBeLessThan(4000);
  await heard.promise;
});
