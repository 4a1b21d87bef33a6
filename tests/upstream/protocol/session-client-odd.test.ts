import { expect, test } from "bun:test";
import { events, jsonRpc, noInitialize, serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

interface Body {
  readonly id: number | string;
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly params: any;
}

/** A server of the stateless protocol alone that can be subscribed to. */
function serveStateless(answer: (body: Body) => Response | Promise<Response>, tools = {}) {
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    const body = (await request.json()) as Body;
    const capabilities = { tools, resources: { subscribe: true } };
    const result = { supportedVersions: ["2026-07-28"], capabilities };
    if (body.method === "initialize") return noInitialize(body.id);
    if (body.method === "server/discover") return jsonRpc({ id: body.id, result });
    seen.push(body.method);
    return answer(body);
  });
  return { url, seen };
}

test("one request of a batch that fails leaves the others their answers", async () => {
  const failed = Promise.withResolvers<void>();
  const { url } = serveStateless(async ({ id, method }) => {
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

test("an input_required result without input requests and state is an error", async () => {
  const { url, seen } = serveStateless(({ id }) =>
    jsonRpc({ id, result: { resultType: "input_required" } }),
  );
  const client = chainClient(url);
  await client.start();
  expect((await client.call("tools/call", { name: "t" })).at(-1).error.code).toBe(1502);
  expect(seen).toEqual(["tools/call"]);
});

test("if one input request cannot be answered, the call ends while another is still open", async () => {
  const inputRequests = {
    e: { method: "elicitation/create", params: { message: "m" } },
    s: { method: "sampling/createMessage" },
  };
  const { url } = serveStateless(({ id }) =>
    jsonRpc({ id, result: { resultType: "input_required", inputRequests } }),
  );
  const client = chainClient(url, { timeoutMs: 1000 });
  await client.start({ elicitation: {} });
  const came = await client.call("tools/call", { name: "t" });
  const [asked, taken, answer] = came;
  expect(asked.method).toBe("elicitation/create");
  expect(taken.method).toBe("notifications/cancelled");
  expect(taken.params.requestId).toBe(asked.id);
  expect(answer.error.code).toBe(1451);
});

test("simultaneous subscribes are all answered when the server has acknowledged them", async () => {
  const { url } = serveStateless(({ id, method }) => {
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
  const onResponseHeaders = Promise.withResolvers<void>();
  let listens = 0;
  const { url } = serveStateless(({ id, method }) => {
    if (method !== "subscriptions/listen") return jsonRpc({ id, result: {} });
    if (++listens === 1) return jsonRpc({ id, error: { code: -32603, message: "later" } }, 500);
    onResponseHeaders.resolve();
    return events({ method: "notifications/subscriptions/acknowledged" });
  });
  const client = chainClient(url);
  await client.start();
  const startedAt = performance.now();
  await client.call("resources/subscribe", { uri: "a:1" });
  expect(performance.now() - startedAt).toBeLessThan(4000);
  await onResponseHeaders.promise;
});

/** The stream of a subscription, open for the test to speak on. */
function listening(opened: (stream: ReadableStreamDefaultController) => void): Response {
  const start = (stream: ReadableStreamDefaultController) => {
    stream.enqueue(said("notifications/subscriptions/acknowledged"));
    opened(stream);
  };
  const headers = { "content-type": "text/event-stream" };
  return new Response(new ReadableStream({ start }), { headers });
}

const said = (method: string) => `data: ${JSON.stringify({ jsonrpc: "2.0", method })}\n\n`;

test("a refused subscription gets the server's error, and list changes still arrive", async () => {
  const asked: (readonly string[] | undefined)[] = [];
  let stream!: ReadableStreamDefaultController;
  const error = { code: -32602, message: "no such resource" };
  const { url } = serveStateless(
    ({ id, method, params }) => {
      if (method !== "subscriptions/listen") return jsonRpc({ id, result: {} });
      asked.push(params.notifications.resourceSubscriptions);
      if (asked.at(-1)?.includes("no:1")) return jsonRpc({ id, error }, 400);
      return listening((opened) => {
        stream = opened;
      });
    },
    { listChanged: true },
  );
  const client = chainClient(url);
  await client.start();
  while (asked.length < 1) await Bun.sleep(1);
  for (const uri of ["a:1", "no:1", "b:1"])
    client.send({ id: uri, method: "resources/subscribe", params: { uri } });
  const answers = [await client.next(), await client.next(), await client.next()];
  expect(answers.map(({ id, error: told }) => [id, told])).toEqual([
    ["a:1", undefined],
    ["no:1", error],
    ["b:1", undefined],
  ]);
  expect(asked.at(-1)).toEqual(["a:1", "b:1"]);
  stream.enqueue(said("notifications/tools/list_changed"));
  expect((await client.next()).method).toBe("notifications/tools/list_changed");
});

test("each subscribe at a server without subscriptions gets the server's own error", async () => {
  const error = { code: -32601, message: "no subscriptions here" };
  const { url, seen } = serveStateless(({ id }) => jsonRpc({ id, error }, 404));
  const client = chainClient(url);
  await client.start();
  for (const uri of ["a:1", "a:2"])
    expect((await client.call("resources/subscribe", { uri })).at(-1).error).toEqual(error);
  expect(seen).toEqual(["subscriptions/listen"]);
});

test("parameters that are no object are refused as an invalid request and not sent on", async () => {
  const { url, seen } = serveStateless(({ id }) => jsonRpc({ id, result: {} }));
  const client = chainClient(url);
  await client.start();
  client.send({ id: "a", method: "x/y", params: [1] });
  expect((await client.next()).error).toEqual({
    code: -32600,
    message: 'Invalid Request: "params" is not an object',
  });
  client.send({ method: "notifications/x", params: [1] });
  await client.call("x/z");
  expect(seen).toEqual(["x/z"]);
});
