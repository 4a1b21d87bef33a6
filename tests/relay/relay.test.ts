import { afterEach, expect, jest, test } from "bun:test";
import type { Stop } from "../../src/upstream/core/types.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { notificationOf, parseMessage, requestOf, responseTo } from "../../src/wire/message.ts";
import { relayClient } from "../support/client.ts";
import { handUpstream } from "../support/hand-upstream.ts";

afterEach(() => {
  jest.useRealTimers();
});

test("answers leave in the order they come, each under the id as the client wrote it", async () => {
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

test("a request that has its answer is passed on, and what comes for it is not shown", async () => {
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

test("a request under the id of one that had its answer, and was cancelled all the same, gets its own", async () => {
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
  expect(client.log.events.filter((event) => event.startsWith("answer to nothing"))).toHaveLength(
    2,
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
    data: { kind: "dns", hint: "check it" },
  });
});

test("a failure's words reach the client without what is secret in them", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  const hint = "ask http://user:canary@host/?code=canary";
  (await next()).done.reject(new BridgeError("forbidden", "it said Bearer canary-1234", { hint }));
  const answer = await client.line();
  expect(answer).not.toContain("canary");
  expect(JSON.parse(answer).error.data.hint).toBe("ask http://...@host/?code=...");
});

test("an upstream that ends without a response is told as bad-answer", async () => {
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
  expect((await client.next()).method).toBe("sampling/createMessage");
  jest.advanceTimersByTime(120);
  client.send({ id: 5, result: {} });
  expect((await next()).message.head.kind).toBe("response");
  await answer(call);
  expect((await client.next()).result).toEqual({});
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

test("what is open when the bridge ends is answered with outcome-unknown", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  client.send({ id: 1, method: "a" });
  await next();
  await client.end();
  expect(await client.relay.finish(10)).toBe(false);
  expect((await client.next()).error.data.kind).toBe("outcome-unknown");
});

test("more calls than places wait in order, answers of the client do not", async () => {
  const { upstream, next, answer, sent } = handUpstream();
  const client = relayClient(upstream);
  for (let id = 0; id < 62; id++) client.send({ id, method: "a" });
  client.send({ id: "s", result: {} });
  const calls = await Promise.all(Array.from({ length: 60 }, next));
  expect((await next()).message.head.kind).toBe("response");
  expect(sent).toEqual([]);
  await answer(calls[7]!);
  expect((await next()).message.head.id).toBe("60");
});

test("what the client says in one breath reaches the server in that order", async () => {
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
