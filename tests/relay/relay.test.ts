import { afterEach, expect, jest, test } from "bun:test";
import type { Stop } from "../../src/upstream/core/types.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { notificationOf, parseMessage, requestOf, responseTo } from "../../src/wire/message.ts";
import { relayClient } from "../support/client.ts";
import { handUpstream } from "../support/hand-upstream.ts";

afterEach(() => {
  jest.useRealTimers();
});

test("answers are written in the order of their arrival, each with the id as the client wrote it", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  client.write('{"jsonrpc":"2.0","id":12345678901234567890,"method":"a"}\r\n\n  \n');
  client.write('{"jsonrpc":"2.0","id":"\\u0061\\/b","method":"b"}\n');
  const [first, second] = [await next(), await next()];
  await second.deliver(responseTo('"a/b"', "1.0"));
  second.done.resolve();
  expect(await client.line()).toBe('{"jsonrpc":"2.0","id":"\\u0061\\/b","result":1.0}');
  await first.deliver(responseTo("12345678901234567000", "{}"));
  expect(await client.line()).toBe('{"jsonrpc":"2.0","id":12345678901234567890,"result":{}}');
  await answer(first).catch(() => undefined);
  expect(client.rest).toEqual([]);
});

test.each([
  ["not json", -32700, null],
  ['{"jsonrpc":"2.0","id":1', -32700, null],
  ['"\xff"', undefined, null],
  ['{"jsonrpc":"2.0","id":7,"method":3}', -32600, 7],
  ['{"jsonrpc":"2.0","id":null,"method":"a"}', -32600, null],
  ['{"jsonrpc":"2.0","id":{},"method":"a"}', -32600, null],
  ['{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}', -32600, null],
  ['{"id":1,"method":"a"}', -32600, 1],
  ['[{"jsonrpc":"2.0","id":1,"method":"a"}]', -32600, 1],
])("answers the line %s with an error, and the next line works", async (line, code, id) => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  client.write(`${line}\n`);
  client.send({ id: 9, method: "ping" });
  const bad = await client.next();
  expect(bad.error.code).toBe(code ?? -32600);
  expect(bad.id).toBe(id);
  await answer(await next());
  expect(await client.next()).toEqual({ jsonrpc: "2.0", id: 9, result: {} });
});

test("a line over the limit is answered with its id, though that stands last", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream, { limit: 1000 });
  client.write(`{"jsonrpc":"2.0","method":"a","params":"${"x".repeat(5000)}","id":"last"}\n`);
  client.send({ id: 2, method: "ping" });
  const refused = await client.next();
  expect(refused.id).toBe("last");
  expect(refused.error.data.kind).toBe("too-large");
  await answer(await next());
  expect((await client.next()).id).toBe(2);
});

test("a second request under an id in use is refused; the first goes on", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  client.send({ id: 1, method: "b" });
  expect((await client.next()).error.code).toBe(-32600);
  await answer(await next(), '{"ok":1}');
  expect((await client.next()).result).toEqual({ ok: 1 });
});

test("a request that was answered early is passed on, and the server's answer is not written", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream, { answered: "1" });
  client.send({ id: 1, method: "initialize" });
  client.send({ id: 2, method: "b" });
  const [first, second] = [await next(), await next()];
  await answer(first);
  await answer(second, '"second"');
  expect((await client.next()).result).toBe("second");
  // The id is free again.
  client.send({ id: 1, method: "c" });
  await answer(await next(), '"third"');
  expect(await client.next()).toEqual({ jsonrpc: "2.0", id: 1, result: "third" });
  expect(client.rest).toEqual([]);
});

test("a request that reuses the id of an answered and then cancelled request gets an answer", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream, { answered: "1" });
  client.send({ id: 1, method: "initialize" });
  await next();
  client.send({ method: "notifications/cancelled", params: { requestId: 1 } });
  client.send({ id: 1, method: "b" });
  await answer(await next(), '"b"');
  expect((await client.next()).result).toBe("b");
});

test("a failure of a request that has its answer is only logged", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream, { answered: "1" });
  client.send({ id: 1, method: "initialize" });
  (await next()).done.reject(new BridgeError("dns", "the host was not found"));
  client.send({ id: 2, method: "b" });
  await answer(await next());
  expect((await client.next()).id).toBe(2);
  expect(client.log.events.filter((event) => event.startsWith("call failed"))).toHaveLength(1);
});

test("foreign answers are dropped and the first of two answers wins", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  const call = await next();
  await call.deliver(responseTo("2", "{}"));
  await call.deliver(responseTo("1", '"first"'));
  await call.deliver(responseTo("1", '"second"'));
  call.done.resolve();
  expect((await client.next()).result).toBe("first");
  expect(client.rest).toEqual([]);
  // The second one is counted: lines of one event come once a second.
  expect(client.log.events.filter((event) => event.startsWith("answer to nothing"))).toHaveLength(
    1,
  );
});

test("a failure upstream becomes an error with its kind, code and hint", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  (await next()).done.reject(
    new BridgeError("dns", 'the host "x" was not found', { hint: "check it" }),
  );
  expect((await client.next()).error).toEqual({
    code: 1496,
    message: 'the host "x" was not found: check it',
    data: { kind: "dns" },
  });
});

test("Codex gets the bridge's error in answer to a call as a result, the server's own error unchanged", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.facts.name = "codex-mcp-client";
  const fail = async (method: string, details: object) => {
    client.send({ id: 1, method });
    (await next()).done.reject(new BridgeError("dns", "no such host Bearer canary-1234", details));
    return client.next();
  };
  expect((await fail("tools/call", { hint: "check it" })).result).toMatchObject({
    isError: true,
    content: [{ type: "text", text: "no such host Bearer ...: check it" }],
    _meta: { "codex-mcp-http-bridge/error": { kind: "dns", code: 1496 } },
  });
  expect((await fail("resources/read", {})).error.code).toBe(1496);
  const serverError = '{"code":-32000,"message":"mine"}';
  expect((await fail("tools/call", { serverError })).error).toEqual({
    code: -32000,
    message: "mine",
  });
});

test("a failure's message reaches the client without secrets", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  const hint = "ask http://user:canary@host/?code=canary";
  (await next()).done.reject(new BridgeError("forbidden", "it said Bearer canary-1234", { hint }));
  const answer = await client.line();
  expect(answer).not.toContain("canary");
  expect(JSON.parse(answer).error.message).toEndWith("ask http://...@host/?code=...");
});

test("an upstream that ends without a response gives the error bad-answer", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  (await next()).done.resolve();
  expect((await client.next()).error.data.kind).toBe("bad-answer");
});

test("a cancellation stops the call with its own bytes and leaves it unanswered", async () => {
  const { upstream, next, sent } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: "x", method: "a" });
  const call = await next();
  client.send({ method: "notifications/cancelled", params: { requestId: "x", reason: "bored" } });
  await expect(call.done.promise).rejects.toMatchObject({ by: "client" });
  const stop = call.signal.reason as Stop & { by: "client" };
  expect(stop.message.text(["params", "reason"])).toBe('"bored"');
  client.send({ id: "y", method: "b" });
  expect((await next()).message.head.id).toBe('"y"');
  expect(sent).toEqual([]);
  expect(client.rest).toEqual([]);
});

test("a call past its deadline is answered and stopped", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream, { timeoutMs: 20 });
  client.send({ id: 1, method: "a" });
  const call = await next();
  expect((await client.next()).error.data.kind).toBe("timeout");
  expect(call.signal.reason).toEqual({ by: "deadline" });
});

test("the deadline does not run while the server waits for the client", async () => {
  jest.useFakeTimers();
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream, { timeoutMs: 60 });
  client.send({ id: 1, method: "a" });
  const call = await next();
  await call.deliver(requestOf("5", "sampling/createMessage", "{}"));
  const { id, method } = await client.next();
  expect(method).toBe("sampling/createMessage");
  jest.advanceTimersByTime(120);
  client.send({ id, result: {} });
  const response = await next();
  expect(response.message.head).toMatchObject({ kind: "response", id: "5" });
  response.done.resolve();
  await answer(call);
  expect((await client.next()).result).toEqual({});
});

test.each(["another call's stream", "the listening stream"])(
  "a question on %s does not stop a call's deadline",
  async (place) => {
    const { upstream, next, listening } = handUpstream();
    const client = relayClient(upstream, { timeoutMs: 60 });
    client.send({ method: "notifications/initialized" });
    (await next()).done.resolve();
    client.send({ id: 1, method: "tools/call" });
    client.send({ id: 2, method: "tools/call" });
    const [, other] = [await next(), await next()];
    const deliver = place === "the listening stream" ? await listening() : other.deliver;
    await deliver(requestOf('"q"', "elicitation/create", "{}"));
    expect((await client.next()).method).toBe("elicitation/create");
    expect(await client.next()).toMatchObject({ id: 1, error: { data: { kind: "timeout" } } });
  },
);

test("requests of the server reach the client under ids of the relay's own, and the answers the server under its own", async () => {
  const { upstream, next, listening } = handUpstream();
  const client = relayClient(upstream);
  client.send({ method: "notifications/initialized" });
  (await next()).done.resolve();
  client.send({ id: 1, method: "tools/call" });
  const call = await next();
  // A call and the listening stream, as two servers behind one relay would, use one id at a time.
  await call.deliver(requestOf("1", "roots/list"));
  await (await listening())(requestOf("1", "sampling/createMessage", "{}"));
  const [one, two] = [await client.next(), await client.next()];
  expect(new Set([one.id, two.id, 1]).size).toBe(3);
  client.send({ id: two.id, result: { for: "two" } });
  client.send({ id: one.id, result: { for: "one" } });
  client.send({ id: one.id, result: { for: "nobody" } });
  for (const expected of ["two", "one"]) {
    const { message, done } = await next();
    expect(message.head).toMatchObject({ kind: "response", id: "1" });
    expect(message.value(["result", "for"])).toBe(expected);
    done.resolve();
  }
  client.send({ id: 2, method: "b" });
  expect((await next()).message.head.method).toBe("b");
});

test("the server's cancellation of its request reaches the client under the allotted id", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "tools/call" });
  const call = await next();
  const cancel = notificationOf("notifications/cancelled", '{"requestId":7}');
  await call.deliver(requestOf("7", "elicitation/create", "{}"));
  await call.deliver(cancel);
  await call.deliver(cancel);
  const { id } = await client.next();
  expect((await client.next()).params.requestId).toBe(id);
  client.send({ id, result: {} });
  client.send({ id: 2, method: "b" });
  expect((await next()).message.head.method).toBe("b");
  expect(client.rest).toEqual([]);
});

test("a server that asks without end and takes no answers has its stream closed", async () => {
  const { upstream, next, sent } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "tools/call" });
  const call = await next();
  const ask = (n: number) => call.deliver(requestOf(`"q${n}"`, "elicitation/create", "{}"));
  for (let n = 0; n < 2000; n++) await ask(n);
  await expect(ask(2000)).rejects.toMatchObject({ kind: "bad-answer" });
  // Of the refusals, thirty are under way; no one of them is settled by the server.
  expect(sent).toHaveLength(30);
  expect(client.rest.length).toBeLessThanOrEqual(1000);
});

test("a flood of requests that are refused, or whose refusals the server does not take, makes one log line a second of each kind", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient({
    ...upstream,
    send: (message, ...more) =>
      message.head.kind === "response"
        ? Promise.reject(new BridgeError("server-error", "no"))
        : upstream.send(message, ...more),
  });
  jest.useFakeTimers();
  client.send({ id: 1, method: "tools/call" });
  const call = await next();
  for (let n = 0; n < 5000; n++)
    await call.deliver(requestOf(`"q${n}"`, "elicitation/create", "{}"));
  for (const event of ["request of the server refused", "not delivered"]) {
    const lines = () => client.log.events.filter((line) => line.startsWith(event)).length;
    expect(lines()).toBe(1);
  }
});

test("requests, notifications and progress of the server pass as they are", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  const call = await next();
  await call.deliver(notificationOf("notifications/progress", '{"progress":1.0}'));
  expect(await client.line()).toBe(
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0}}',
  );
  await answer(call);
  await client.next();
});

test("the bridge's own question reaches the client and takes its answer", async () => {
  const { upstream, sent } = handUpstream();
  const client = relayClient(upstream);
  const answer = client.relay.ask(
    { method: "elicitation/create", params: '{"mode":"url"}' },
    new AbortController().signal,
  );
  const asked = await client.next();
  expect(asked.params).toEqual({ mode: "url" });
  client.send({ id: asked.id, result: { action: "accept" } });
  expect((await answer).value(["result", "action"])).toBe("accept");
  client.send({ id: asked.id, result: { action: "late" } });
  await client.end();
  expect(sent).toEqual([]);
});

test("a batch passes as one where its revision was agreed on, and each request is answered", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 0, method: "initialize", params: { protocolVersion: "2025-03-26" } });
  await answer(await next(), '{"protocolVersion":"2025-03-26"}');
  await client.next();
  const batch = '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]';
  client.write(`${batch}\n`);
  const call = await next();
  expect(new TextDecoder().decode(call.message.bytes)).toBe(batch);
  await call.deliver(
    parseMessage(
      new TextEncoder().encode(
        '[{"jsonrpc":"2.0","id":2,"result":{}},{"jsonrpc":"2.0","id":1,"result":{}}]',
      ),
    ),
  );
  call.done.resolve();
  expect([(await client.next()).id, (await client.next()).id]).toEqual([2, 1]);
});

test("calls that are open when the bridge ends are answered with outcome-unknown", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  await next();
  await client.end();
  expect(await client.relay.finish(10)).toBe(false);
  expect((await client.next()).error.data.kind).toBe("outcome-unknown");
});

test.each([
  ["was not sent", true, "connection-refused"],
  ["may have been sent", false, "outcome-unknown"],
])(
  "a call that %s when the bridge ends is answered with its kind",
  async (_, safeToRetry, kind) => {
    const { upstream, next } = handUpstream();
    const client = relayClient({
      ...upstream,
      send: (...given) =>
        upstream.send(...given).catch(() => {
          throw new BridgeError("connection-refused", "nothing listens", { safeToRetry });
        }),
    });
    client.send({ id: 1, method: "tools/call" });
    await next();
    await client.end();
    expect(await client.relay.finish(10)).toBe(false);
    expect((await client.next()).error.data.kind).toBe(kind);
    expect(client.rest).toEqual([]);
  },
);

test("more calls than places wait in order, answers of the client do not", async () => {
  const { upstream, next, answer, sent } = handUpstream();
  const client = relayClient(upstream);
  for (let id = 0; id < 62; id++) client.send({ id, method: "a" });
  const calls = await Promise.all(Array.from({ length: 60 }, next));
  await calls[0]!.deliver(requestOf('"q"', "roots/list"));
  client.send({ id: (await client.next()).id, result: {} });
  expect((await next()).message.head.kind).toBe("response");
  expect(sent).toEqual([]);
  await answer(calls[7]!);
  expect((await next()).message.head.id).toBe("60");
});

test("messages that the client writes at once reach the server in their order", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  const line = (head: object) => JSON.stringify({ jsonrpc: "2.0", ...head });
  const initialized = line({ method: "notifications/initialized" });
  client.write(`${initialized}\n${line({ id: 1, method: "tools/list" })}\n`);
  const [first, second] = [await next(), await next()];
  expect([first.message.head.method, second.message.head.method]).toEqual([
    "notifications/initialized",
    "tools/list",
  ]);
  first.done.resolve();
  await answer(second);
  expect((await client.next()).id).toBe(1);
});
