import { afterEach, expect, jest, test } from "bun:test";
import { InFlightRequests } from "../../../src/http/in-flight.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { ToolTable } from "../../../src/upstream/core/tool-table.ts";
import type { Deliver, Upstream } from "../../../src/upstream/core/types.ts";
import { AttemptTimeouts } from "../../../src/upstream/retry/attempt-timeout.ts";
import { IdempotentTools } from "../../../src/upstream/retry/idempotent-tools.ts";
import { RetryUpstream } from "../../../src/upstream/retry/retry.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { type Message, requestOf, responseTo } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";

const refused = new BridgeError("connection-refused", "nothing listens", { safeToRetry: true });

interface InteractiveSignIn {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
}

/** A transport whose attempts the test settles. */
class Transport implements Upstream {
  readonly attempts: InteractiveSignIn[] = [];
  settle: (attempt: InteractiveSignIn) => Promise<void> = () => Promise.reject(refused);

  send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const attempt = { message, deliver, signal };
    this.attempts.push(attempt);
    return this.settle(attempt);
  }

  async listen(): Promise<void> {}

  async close(): Promise<void> {}
}

const answer = ({ message, deliver }: InteractiveSignIn) =>
  deliver(responseTo(message.head.id!, "{}"));

function untilAborted({ signal }: InteractiveSignIn): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

function repeating(given: { timeoutMs?: number; attempts?: number } = {}) {
  const transport = new Transport();
  const tools = new ToolTable();
  const idempotentTools = new IdempotentTools(tools);
  const now = () => performance.now();
  const inFlight = new InFlightRequests();
  const log = memoryLog();
  const told: string[] = [];
  const attemptTimeouts = new AttemptTimeouts(idempotentTools, inFlight, now);
  const retry = new RetryUpstream({
    next: transport,
    idempotentTools,
    attemptTimeouts,
    inFlight,
    attempts: 3,
    timeoutMs: 60_000,
    log: { ...log, info: (event) => void told.push(event) },
    name: "kb",
    ids: new RequestIds(),
    now,
    random: () => 0.5,
    startWaitMs: undefined,
    ...given,
  });
  let ids = 0;
  const send = (name = "write", signal = new AbortController().signal) => {
    const came: Message[] = [];
    const params = JSON.stringify({ name });
    const take: Deliver = async (said) => void came.push(said);
    const call = requestOf(String(ids++), "tools/call", params);
    return retry.send(call, take, signal).then(
      () => came.length,
      (error) => error.kind ?? error,
    );
  };
  const learn = () => {
    const listed = JSON.stringify({
      tools: [{ name: "read", annotations: { readOnlyHint: true } }],
    });
    tools.learn(requestOf("0", "tools/list"), responseTo("0", listed));
  };
  return { transport, idempotentTools, inFlight, attemptTimeouts, told, send, learn };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

const many = (send: () => Promise<unknown>) => Array.from({ length: 20 }, () => send());

test("while the server is unreachable one request reconnects, and all are sent once it is back", async () => {
  const { transport, send } = repeating();
  const sent = many(send);
  await until(() => transport.attempts.length >= 23);
  expect(transport.attempts).toHaveLength(23);
  expect(new Set(transport.attempts.slice(20).map(({ message }) => message)).size).toBe(1);
  transport.settle = answer;
  expect(await Promise.all(sent)).toEqual(sent.map(() => 1));
  expect(transport.attempts).toHaveLength(23 + 20);
});

test("a server that cannot be reached is one line at info, however often a request tries again", async () => {
  const { transport, told, send } = repeating({ timeoutMs: 1000 });
  const sent = many(send);
  await until(() => transport.attempts.length >= 23);
  expect(told).toEqual(["retrying"]);
  transport.settle = answer;
  await Promise.all(sent);
});

test("requests that wait for an unreachable server when the bridge ends fail with that reason; one that is sent does not", async () => {
  const { transport, send } = repeating();
  const ending = new AbortController();
  const sent = many(() => send("write", ending.signal));
  await until(() => transport.attempts.length >= 21);
  const closing = { by: "closing" };
  transport.settle = untilAborted;
  const before = transport.attempts.length;
  await until(() => transport.attempts.length > before);
  ending.abort(closing);
  const kinds = await Promise.all(sent);
  expect(kinds[0]).toBe(closing);
  expect(new Set(kinds.slice(1))).toEqual(new Set(["connection-refused"]));
});

test("if the server stays unreachable, all waiting requests fail at once, and later ones after one attempt", async () => {
  const { transport, send } = repeating({ timeoutMs: 400 });
  const told = await Promise.all(many(send));
  expect(new Set(told)).toEqual(new Set(["connection-refused"]));
  expect(transport.attempts.length).toBeLessThan(25);
  const before = transport.attempts.length;
  expect(await send()).toBe("connection-refused");
  expect(transport.attempts).toHaveLength(before + 1);
});

test("if the request that reconnects is cancelled, another one reconnects", async () => {
  const { transport, send } = repeating();
  const cancelled = new AbortController();
  const first = send("write", cancelled.signal);
  const second = send();
  await until(() => transport.attempts.length >= 3);
  cancelled.abort("cancelled");
  expect(await first).toBe("cancelled");
  const before = transport.attempts.length;
  await until(() => transport.attempts.length > before);
  transport.settle = answer;
  expect(await second).toBe(1);
});

test("a request that has reconnected lets the others go on while it is still being served", async () => {
  const { transport, send } = repeating();
  const asking = new AbortController();
  const first = send("write", asking.signal);
  const second = send();
  await until(() => transport.attempts.length >= 2);
  transport.settle = (attempt) =>
    attempt.message.head.id === "0" ? untilAborted(attempt) : answer(attempt);
  expect(await second).toBe(1);
  asking.abort("done");
  expect(await first).toBe("done");
});

test("a connection attempt that times out opens the circuit", async () => {
  const { transport, send } = repeating();
  transport.settle = () => Promise.reject(new BridgeError("unreachable", "no connection"));
  expect(await send()).toBe("unreachable");
  transport.settle = () => Promise.reject(refused);
  expect(await send()).toBe("connection-refused");
  expect(transport.attempts).toHaveLength(2);
});

test.each([
  ["the deadline", { by: "deadline" }, "server-error"],
  ["the client", { by: "closing" }, { by: "closing" }],
])(
  "a request that %s ends before another attempt fails with what is known",
  async (_, stop, expected) => {
    const { transport, send } = repeating();
    const busy = { status: 503, retryAfterMs: 20_000 };
    transport.settle = () => Promise.reject(new BridgeError("server-error", "503", busy));
    const call = new AbortController();
    const sent = send("write", call.signal);
    await until(() => transport.attempts.length > 0);
    await Bun.sleep(1);
    call.abort(stop);
    expect(await sent).toEqual(expected);
  },
);

afterEach(() => {
  jest.useRealTimers();
});

/** Lets what is due run, and what follows from it. */
async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

test("a repeatable request without response headers in a third of its deadline is sent again", async () => {
  jest.useFakeTimers();
  const { transport, send, learn, inFlight } = repeating();
  learn();
  transport.settle = untilAborted;
  const sent = send("read");
  await pass(19_999);
  expect(transport.attempts).toHaveLength(1);
  await pass(2);
  expect(transport.attempts[0]!.signal.reason).toEqual({ by: "deadline" });
  // Its connection may be dead, and so may all that are idle.
  expect(inFlight.isSuspect).toBe(true);
  transport.settle = answer;
  // The cancellation goes first.
  await pass(199);
  expect(transport.attempts).toHaveLength(1);
  await pass(200);
  expect(transport.attempts).toHaveLength(2);
  expect(await sent).toBe(1);
});

test("with a short deadline the first attempt gets five seconds, and the second the rest", async () => {
  jest.useFakeTimers();
  const { transport, send, learn } = repeating({ timeoutMs: 6000 });
  learn();
  transport.settle = untilAborted;
  const call = new AbortController();
  const sent = send("read", call.signal);
  await pass(4999);
  expect(transport.attempts[0]!.signal.aborted).toBe(false);
  await pass(2);
  await pass(400);
  expect(transport.attempts).toHaveLength(2);
  await pass(60_000);
  expect(transport.attempts[1]!.signal.aborted).toBe(false);
  call.abort("over");
  expect(await sent).toBe("over");
});

test.each<[string, string, number, (given: ReturnType<typeof repeating>) => void]>([
  ["that may not be repeated", "write", 3, () => undefined],
  [
    "whose answer has begun",
    "read",
    3,
    ({ transport, attemptTimeouts }) => {
      attemptTimeouts.onResponseHeaders(transport.attempts[0]!.signal);
    },
  ],
  ["of a server that is tried once", "read", 1, () => undefined],
])("a request %s is waited for to its deadline", async (_, name, attempts, after) => {
  jest.useFakeTimers();
  const given = repeating({ attempts });
  given.learn();
  given.transport.settle = untilAborted;
  const call = new AbortController();
  const sent = given.send(name, call.signal);
  after(given);
  await pass(59_000);
  expect(given.transport.attempts).toHaveLength(1);
  expect(given.transport.attempts[0]!.signal.aborted).toBe(false);
  call.abort("over");
  expect(await sent).toBe("over");
});

test("a tool that was silent in two attempts is slow: it is not aborted again", async () => {
  jest.useFakeTimers();
  const { transport, send, learn } = repeating();
  learn();
  transport.settle = untilAborted;
  const first = new AbortController();
  const given = send("read", first.signal);
  await pass(20_001);
  await pass(400);
  await pass(20_001);
  first.abort("over");
  expect(await given).toBe("over");
  expect(transport.attempts).toHaveLength(2);
  const second = new AbortController();
  const again = send("read", second.signal);
  await pass(59_000);
  expect(transport.attempts).toHaveLength(3);
  second.abort("over");
  expect(await again).toBe("over");
});
