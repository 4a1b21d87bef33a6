import { expect, test } from "bun:test";
import { sendWithin } from "../../../src/upstream/retry/deadline.ts";
import { asBridgeError, BridgeError } from "../../../src/wire/errors.ts";
import { requestOf } from "../../../src/wire/message.ts";

const initialize = requestOf("0", "initialize");

/** What comes of a message whose sending ends, when its time is over, with that. */
async function failed(end: (reason: unknown) => unknown) {
  const next = {
    send: (_: unknown, __: unknown, signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => reject(end(signal.reason)));
      }),
  };
  const { signal } = new AbortController();
  const sent = sendWithin(10, { next, name: "kb" }, initialize, async () => undefined, signal);
  return asBridgeError(await sent.catch((error) => error));
}

test("a message without an answer in time fails with its method's name", async () => {
  const { kind, message, hint } = await failed((reason) => reason);
  expect([kind, message]).toEqual(["timeout", '"kb" did not answer initialize within 0.01 s']);
  expect(hint).toBe("check that the server is up, then try again");
});

test("a timeout names the failure that came before it", async () => {
  const cause = new BridgeError("server-error", "the server answered 503", { hint: "wait" });
  const { kind, message, hint } = await failed(() => cause);
  expect([kind, hint]).toEqual(["timeout", "wait"]);
  expect(message).toBe('"kb" did not answer initialize within 0.01 s: the server answered 503');
});
