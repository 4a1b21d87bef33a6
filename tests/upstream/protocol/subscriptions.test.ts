import { afterEach, expect, jest, test } from "bun:test";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import type { Upstream } from "../../../src/upstream/core/types.ts";
import { Subscriptions } from "../../../src/upstream/protocol/subscriptions.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { notificationOf } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";

afterEach(() => {
  jest.useRealTimers();
});

const acknowledged = notificationOf("notifications/subscriptions/acknowledged");
const changed = notificationOf("notifications/tools/list_changed");

type Send = (n: number, deliver: Parameters<Upstream["send"]>[1]) => Promise<void>;

/** The subscriptions of a client to a server whose n-th stream is `send`. */
function subscribed(
  send: Send,
  { now = (): number => 0, anotherCredential = () => Promise.resolve() } = {},
) {
  let opened = 0;
  const subscriptions = new Subscriptions({
    name: "s",
    log: memoryLog(),
    ids: new RequestIds(),
    now,
    next: {
      send: (_, deliver) => send(++opened, deliver),
      listen: () => Promise.resolve(),
      close: () => Promise.resolve(),
    },
    anotherCredential,
    meta: () => "",
  });
  subscriptions.declare({ tools: { listChanged: true } });
  const stop = new AbortController();
  const running = subscriptions.run(async () => undefined, stop.signal);
  const end = () => {
    stop.abort();
    return running;
  };
  return { opened: () => opened, end };
}

/**
 * Resolves to the number of streams, each `streamMs` long, that are opened in many turns of the microtask queue: no timer
 * fires in between, so no stream that waits for one is counted.
 */
async function streamsWithoutTimers(send: Send, streamMs = 0): Promise<number> {
  let now = 0;
  const limited: Send = async (n, deliver) => {
    now += streamMs;
    if (n > 20) throw broken;
    await send(n, deliver);
  };
  const { opened, end } = subscribed(limited, { now: () => now });
  for (let turn = 0; turn < 5000; turn++) await Promise.resolve();
  const count = opened();
  await end();
  return count;
}

const broken = new BridgeError("outcome-unknown", "the stream broke");

test.each<[string, Send]>([
  ["closes", async (_, deliver) => deliver(acknowledged)],
  [
    "breaks",
    async (_, deliver) => {
      await deliver(acknowledged);
      throw broken;
    },
  ],
  ["closes after a change, without an acknowledgement", async (_, deliver) => deliver(changed)],
])("a stream that the server acknowledged and %s is reopened at once", async (_, send) => {
  // One that lasted is always followed by the next one at once; short ones are, a few times in a row.
  expect(await streamsWithoutTimers(send, 6000)).toBe(21);
  expect(await streamsWithoutTimers(send)).toBe(4);
});

test.each<[string, Send]>([
  ["is refused", () => Promise.reject(broken)],
  ["ends without a message", () => Promise.resolve()],
])("a stream that %s waits before it is opened again", async (_, send) => {
  expect(await streamsWithoutTimers(send)).toBe(1);
  expect(await streamsWithoutTimers(send, 6000)).toBe(1);
});

test("a stream is reopened at once after a short one, and with backoff after a failed one", async () => {
  const failsAtSecond: Send = async (n, deliver) => {
    if (n > 1) throw broken;
    await deliver(acknowledged);
  };
  expect(await streamsWithoutTimers(failsAtSecond)).toBe(2);
});

test("a subscription that is refused for its credential rests until another one is accepted", async () => {
  jest.useFakeTimers();
  const accepted = Promise.withResolvers<void>();
  const { opened, end } = subscribed(() => Promise.reject(new BridgeError("unauthorized", "no")), {
    anotherCredential: () => accepted.promise,
  });
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  for (let minute = 0; minute < 10; minute++) {
    await settle();
    jest.advanceTimersByTime(60_000);
  }
  expect(opened()).toBe(1);
  accepted.resolve();
  await settle();
  jest.advanceTimersToNextTimer();
  await settle();
  expect(opened()).toBe(2);
  await end();
});
