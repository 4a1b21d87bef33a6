import { BridgeError, type ErrorKind } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { CallContext, Deliver, Stop, Upstream } from "../core/types.ts";

/** How long the server may take over a message of the start: our words come before the 30 s after which Codex gives up. */
export const startMs = 25_000;

/** The time of what others wait for: shorter than theirs, so that they hear why it failed. */
const within = (ms: number) => ms * 0.9;

/** The same for a message that is also a call of the client's, whose deadline is `timeoutMs`. */
export function startLimitMs(timeoutMs: number, mostMs = startMs): number {
  return Math.min(mostMs, within(timeoutMs));
}

/** How long a part of the handshake may take that no call's deadline bounds. */
export function handshakeMs(timeoutMs: number): number {
  return within(startLimitMs(timeoutMs));
}

const deadline: Stop = { by: "deadline" };
const absent: readonly ErrorKind[] = ["connection-refused", "dns", "unreachable"];

/** Sends a message that has no call's deadline and gives up after `ms`: rejects with `timeout` then, in words. */
export async function sendWithin(
  ms: number,
  { next, name }: { readonly next: Pick<Upstream, "send">; readonly name: string },
  message: Message,
  take: Deliver,
  signal: AbortSignal,
  call?: CallContext,
): Promise<void> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(deadline), ms);
  const stop = () => limit.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await next.send(message, take, limit.signal, call);
  } catch (error) {
    if (limit.signal.reason !== deadline || signal.aborted) throw error;
    const what = `"${name}" did not answer ${message.head.method} within ${ms / 1000} s`;
    const cause = error instanceof BridgeError ? error : undefined;
    // A server that cannot be reached is reported as such, however long it was waited for.
    const isAway = cause !== undefined && absent.includes(cause.kind);
    throw new BridgeError(
      isAway ? cause.kind : "timeout",
      cause ? `${what}: ${cause.message}` : what,
      {
        hint: cause?.hint ?? "check that the server is up, then try again",
        cause,
      },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
