import { BridgeError, type ErrorKind } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { CallContext, Deliver, Stop, Upstream } from "../core/types.ts";

/** Longest time for a message of the handshake: our error arrives before Codex gives up after 30 s. */
export const startMs = 25_000;

/** The limit of a step that a caller with the limit `ms` waits for: shorter, so that the caller gets the step's error. */
const within = (ms: number) => ms * 0.9;

/** Limit of a handshake message that is also a call of the client, with the deadline `timeoutMs`. */
export function startLimitMs(timeoutMs: number, mostMs = startMs): number {
  return Math.min(mostMs, within(timeoutMs));
}

/** Limit of a handshake message that no call's deadline bounds. */
export function handshakeMs(timeoutMs: number): number {
  return within(startLimitMs(timeoutMs));
}

const deadline: Stop = { by: "deadline" };
const absent: readonly ErrorKind[] = ["connection-refused", "dns", "unreachable"];

/** Sends a message and gives up after `ms`; then rejects with `timeout`, or with the kind that says that the server cannot be reached. */
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
    // "Cannot be reached" says more than "timeout".
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
