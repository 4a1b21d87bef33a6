import { expect, test } from "bun:test";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import type { Upstream } from "../../../src/upstream/core/types.ts";
import { Subscriptions } from "../../../src/upstream/protocol/subscriptions.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { notificationOf } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";

const acknowledged = notificationOf("notifications/subscriptions/acknowledged");
const changed = notificationOf("notifications/tools/list_changed");

/**
 * Runs the subscriptions of a client against `send`, which settles without a timer. Resolves to the number of streams that
 * were opened in many turns of the microtask queue: no timer fires in between, so no stream that waits for one is counted.
 */
async function streamsWithoutTimers(
  send: (n: number, deliver: Parameters<Upstream["send"]>[1]) => Promise<void>,
  streamMs = 0,
) {
  let opened = 0;
  let now = 0;
  const subscriptions = new Subscriptions({
    name: "s",
    log: memoryLog(),
    ids: new RequestIds(),
    now: () => now,
    next: {
      send: async (_, deliver) => {
        // The stream of the last one stays open.
        if (++opened > 20) return new Promise(() => undefined);
        now += streamMs;
        await send(opened, deliver);
      },
      listen: () => Promise.resolve(),
      close: () => Promise.resolve(),
    },
    anotherCredential: () => Promise.resolve(),
    meta: () => "",
  });
  subscriptions.declare({ tools: { listChanged: true } });
  const stop = new AbortController();
  const running = subscriptions.run(async () => undefined, stop.signal);
  for (let turn = 0; turn < 5000; turn++) await Promise.resolve();
  const count = opened;
  stop.abort();
  await Promise.race([running, Promise.resolve()]);
  return count;
}

const broken = new BridgeError("outcome-unknown", "the stream broke");

test.each<[string, Parameters<typeof streamsWithoutTimers>[0]]>([
  ["closes", async (_, deliver) => deliver(acknowledged)],
  [
    "breaks",
    async (_, deliver) => {
      await deliver(acknowledged);
      throw broken;
    },
  ],
  ["closes after a change, without an acknowledgement", async (_, deliver) => deliver(changed)],
])("a stream that the server took and %s is opened again at once", async (_, send) => {
  // One that lasted is always followed by the next one at once; short ones are, a few times in a row.
  expect(await streamsWithoutTimers(send, 6000)).toBe(21);
  expect(await streamsWithoutTimers(send)).toBe(4);
});

test.each<[string, Parameters<typeof streamsWithoutTimers>[0]]>([
  ["is refused", () => Promise.reject(broken)],
  ["ends without a message", () => Promise.resolve()],
])("a stream that %s waits before it is opened again", async (_, send) => {
  expect(await streamsWithoutTimers(send)).toBe(1);
  expect(await streamsWithoutTimers(send, 6000)).toBe(1);
});

test("a stream is opened again at once behind a short one, and waits behind one that fails", async () => {
  const failsAtSecond = async (n: number, deliver: Parameters<Upstream["send"]>[1]) => {
    if (n > 1) throw broken;
    await deliver(acknowledged);
  };
  expect(await streamsWithoutTimers(failsAtSecond)).toBe(2);
});
