import { BridgeError } from "../wire/errors.ts";
import type { Message } from "../wire/message.ts";
import type { Deliver, Stop, Upstream } from "./types.ts";

/** How long the server may take over a message of the start: our words come before the 30 s after which Codex gives up. */
export const startMs = 25_000;

/** How long a part of the handshake may take that no call's deadline bounds: less than a call that waits for it, which is the last to fail then. */
export function handshakeMs(timeoutMs: number): number {
  return Math.min(startMs, timeoutMs * 0.9);
}

const deadline: Stop = { by: "deadline" };

/** Sends a message that has no call's deadline and gives up after `ms`: rejects with `timeout` then, in words. */
export async function sendWithin(
  ms: number,
  { next, name }: { readonly next: Upstream; readonly name: string },
  message: Message,
  take: Deliver,
  signal: AbortSignal,
): Promise<void> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(deadline), ms);
  const stop = () => limit.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await next.send(message, take, limit.signal);
  } catch (error) {
    if (limit.signal.reason !== deadline || signal.aborted) throw error;
    const what = `"${name}" did not answer ${message.head.method} within ${ms / 1000} s`;
    throw new BridgeError("timeout", what, { hint: "check that the server is up, then try again" });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
