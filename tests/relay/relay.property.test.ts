// The relay as a state machine: whatever client and server do in whatever order, each request gets one answer.
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Deliver, Upstream } from "../../src/upstream/core/types.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import {
  errorTo,
  type Message,
  notificationOf,
  requestOf,
  responseTo,
} from "../../src/wire/message.ts";
import { relayClient } from "../support/client.ts";
import { runsOf } from "../support/property.ts";

const runs = runsOf(import.meta.path);

/** What the server does with one request, one step after the other. */
const step = fc.constantFrom(
  "answer",
  "error",
  "foreign",
  "notify",
  "ask",
  "batch",
  "throw",
  "end",
  "wait",
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const action = fc.oneof(
  fc.record({ type: fc.constant("request" as const), steps: fc.array(step, { maxLength: 5 }) }),
  fc.record({ type: fc.constant("cancel" as const), which: fc.nat(20) }),
  fc.record({ type: fc.constant("garbage" as const), text: fc.constantFrom("x", "{", "[]", "7") }),
  fc.record({ type: fc.constant("respond" as const), which: fc.nat(20) }),
  fc.record({ type: fc.constant("turn" as const) }),
);

/** A server that does what the steps of each request say; ids tell them. */
function scripted(script: ReadonlyMap<string, readonly Step[]>): Upstream {
  const perform = async (message: Message, deliver: Deliver, signal: AbortSignal) => {
    const id = message.head.id!;
    for (const [at, one] of (script.get(id) ?? []).entries()) {
      if (one === "answer") await deliver(responseTo(id, `"${at}"`));
      if (one === "error") await deliver(errorTo(id, { code: -1, message: "no" }));
      if (one === "foreign") await deliver(responseTo("99999", "{}"));
      if (one === "notify") await deliver(notificationOf("notifications/message"));
      if (one === "ask") await deliver(requestOf(`"ask-${id}-${at}"`, "ping"));
      if (one === "throw") throw new BridgeError("server-error", "broken");
      if (one === "end") return;
      if (one === "wait") await Promise.resolve();
    }
    // A call without an end waits for its signal, as a hanging server makes it.
    await new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  };
  return {
    send: async (message, deliver, signal) => {
      if (message.head.kind === "request") await perform(message, deliver, signal);
    },
    listen: async () => undefined,
    close: async () => undefined,
  };
}

test("every request is answered exactly once, a cancelled one at most once, nobody else ever", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const script = new Map<string, readonly Step[]>();
      const client = relayClient(scripted(script));
      const cancelled = new Set<number>();
      let garbage = 0;
      for (const one of actions) {
        if (one.type === "request") {
          const id = script.size + 1;
          script.set(String(id), one.steps);
          client.send({ id, method: "tools/call", params: {} });
        } else if (one.type === "cancel") {
          cancelled.add(one.which);
          client.send({ method: "notifications/cancelled", params: { requestId: one.which } });
        } else if (one.type === "respond") client.send({ id: `ask-${one.which}-0`, result: {} });
        else if (one.type === "garbage") {
          garbage += 1;
          client.write(`${one.text}\n`);
        } else await Bun.sleep(0);
      }
      await client.end();
      await client.relay.finish(1);
      await Bun.sleep(0);
      const counts = new Map<unknown, number>();
      for (const line of client.rest) {
        const message = JSON.parse(line);
        if (message.method !== undefined) continue;
        counts.set(message.id, (counts.get(message.id) ?? 0) + 1);
      }
      expect(counts.get(null) ?? 0).toBe(garbage);
      counts.delete(null);
      for (let id = 1; id <= script.size; id += 1) {
        const count = counts.get(id) ?? 0;
        if (cancelled.has(id)) expect(count).toBeLessThanOrEqual(1);
        else expect(count).toBe(1);
        counts.delete(id);
      }
      expect([...counts]).toEqual([]);
    }),
    runs,
  );
}, 120_000);
