// The one place that decides what is sent again. A request that may have been executed is sent again only if it is
// repeatable.
import type { InFlightRequests } from "../../http/in-flight.ts";
import { abortable, sleep } from "../../platform/async.ts";
import { BridgeError, type ErrorKind } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { CallContext, Deliver, ServerScope, Stop, Upstream } from "../core/types.ts";
import type { AttemptAbort, AttemptTimeouts } from "./attempt-timeout.ts";
import type { IdempotentTools } from "./idempotent-tools.ts";

interface RetryOptions extends ServerScope {
  readonly next: Upstream;
  readonly idempotentTools: IdempotentTools;
  readonly attemptTimeouts: AttemptTimeouts;
  /** Counts the requests under way. */
  readonly inFlight: InFlightRequests;
  /** Most attempts for one request; 1: no retries. */
  readonly attempts: number;
  /** Deadline of a call: no wait ends after it. */
  readonly timeoutMs: number;
  /** How long to wait for a server that has not answered yet in this run; undefined: as for any other. */
  readonly startWaitMs: number | undefined;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

/** Facts by which waitBefore() decides. */
export interface Situation {
  readonly error: BridgeError;
  readonly isRepeatable: boolean;
  /** Attempts made so far. */
  readonly attempt: number;
  readonly attempts: number;
  readonly elapsedMs: number;
  readonly timeoutMs: number;
  /** How long to wait for a server that has not answered in this run; undefined once it has. */
  readonly startWaitMs?: number | undefined;
  /** Whether the server could not be reached for the whole wait of an earlier request: fail at once. */
  readonly circuitOpen: boolean;
  readonly random: () => number;
}

const firstBackoffMs = 100;
const longestBackoffMs = 2000;
/** Longest backoff while the server cannot be reached: short, so that its return is noticed soon. */
const maxReconnectWaitMs = 400;
/** First backoff after a 429. */
const tooManyRequestsBackoffMs = 500;
/** A longer Retry-After is not waited for: the request fails. */
const longestRetryAfterMs = 60_000;
/** How long to wait for a server that cannot be reached. */
const maxUnreachableMs = 3000;
/** Gives the cancellation of an attempt time to arrive before the next attempt, which has the same id. */
const cancellationMs = 200;

const absent: readonly ErrorKind[] = ["connection-refused", "dns", "unreachable"];

/** Whether the server could not be reached and nothing was sent. A proxy's status below 500 is a refusal, so it does not count. */
function isAbsent({ kind, safeToRetry, status = 500 }: BridgeError): boolean {
  return safeToRetry && absent.includes(kind) && status >= 500;
}

/** Whether the request was certainly not executed: never sent, or refused for now. */
function isUntouched(error: BridgeError): boolean {
  const { kind, safeToRetry, status, retryAfterMs } = error;
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) return true;
  return isAbsent(error) || (safeToRetry && kind === "tls");
}

/** Whether a gateway reports that no server is behind it, as during a deploy. */
function isBehindGateway({ status }: BridgeError): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Whether the failure may be temporary: a repeatable request is sent again. */
function isPassing({ kind, status }: BridgeError): boolean {
  return (
    kind === "outcome-unknown" || kind === "timeout" || (status !== undefined && status >= 500)
  );
}

/** Milliseconds to wait before the next attempt (full jitter); undefined if there is none. */
export function waitBefore(situation: Situation): number | undefined {
  const { error, isRepeatable, attempt, attempts, elapsedMs, timeoutMs } = situation;
  const { startWaitMs } = situation;
  if (attempts <= 1) return undefined;
  if (!isUntouched(error) && !(isRepeatable && isPassing(error))) return undefined;
  const unreachableMs = Math.min(timeoutMs / 2, maxUnreachableMs);
  // A server that restarts keeps its name: one that does not resolve is mistyped, or there is no network.
  const awayMs = error.kind === "dns" ? unreachableMs : (startWaitMs ?? unreachableMs);
  if (startWaitMs !== undefined && isRepeatable && isBehindGateway(error))
    return nextWait(situation, awayMs - elapsedMs);
  const leftMs = (isAbsent(error) ? awayMs : timeoutMs) - elapsedMs;
  if (isAbsent(error) ? situation.circuitOpen : attempt >= attempts) return undefined;
  return nextWait(situation, leftMs);
}

/** Computes the wait; undefined if it exceeds `leftMs` or the server's Retry-After is too long. */
function nextWait({ error, attempt, random }: Situation, leftMs: number): number | undefined {
  const base = error.status === 429 ? tooManyRequestsBackoffMs : firstBackoffMs;
  const longest = isAbsent(error) ? maxReconnectWaitMs : longestBackoffMs;
  const backoff = random() * Math.min(longest, base * 2 ** (attempt - 1));
  const asked = error.retryAfterMs;
  if (asked !== undefined && asked > longestRetryAfterMs) return undefined;
  const least = error.kind === "timeout" ? cancellationMs : 0;
  const wait =
    asked === undefined ? least + backoff : asked + random() * Math.min(asked / 10 + 50, 1000);
  return wait < leftMs ? wait : undefined;
}

/** One attempt to send a request. */
interface Sending {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly call: CallContext | undefined;
  readonly startedAt: number;
  /** Attempts made, this one included. */
  readonly attempt: number;
  /** Set if this request tries to reconnect on behalf of all that wait. */
  readonly reconnectWait?: ReconnectWait | undefined;
}

/** Rejects as the wait did; if the bridge ends during the wait, with the failure that caused the wait. */
const unlessClosing = (error: BridgeError) => (stop: Partial<Stop>) => {
  throw stop.by === "closing" ? error : stop;
};

/** Settles once the server is reachable again, or the wait is over. */
type ReconnectWait = PromiseWithResolvers<void>;

/** Sends failed requests again where that is safe, within the deadline of their call. */
export class RetryUpstream implements Upstream {
  readonly #options: RetryOptions;
  /** Open after the server could not be reached for the whole wait; requests then fail at once. */
  #circuitOpen = false;
  #reconnectWait: ReconnectWait | undefined;
  #hasAnswered = false;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const startedAt = this.#options.now();
    return this.#attempt({ message, deliver, signal, call, startedAt, attempt: 1 });
  }

  #attempt(sending: Sending): Promise<void> {
    const { next, inFlight } = this.#options;
    const { message, deliver, signal, call, reconnectWait } = sending;
    let delivered = false;
    const take: Deliver = (incoming) => {
      delivered = true;
      return deliver(incoming);
    };
    const attemptAbort = this.#attemptAbortFor(sending);
    // A connection that is not refused by then exists: the others may go on.
    const timer = reconnectWait && setTimeout(() => this.#end(reconnectWait), maxReconnectWaitMs);
    inFlight.enter();
    return next.send(message, take, attemptAbort?.signal ?? signal, call).then(
      () => {
        this.#settled(attemptAbort, timer);
        this.#circuitOpen = false;
        this.#hasAnswered = true;
        if (reconnectWait !== undefined) this.#end(reconnectWait);
      },
      (error) => {
        this.#settled(attemptAbort, timer);
        return this.#again(
          sending,
          attemptAbort?.isAbandoned ? lost(this.#options.name) : error,
          delivered,
        );
      },
    );
  }

  #attemptAbortFor({ message, signal, attempt }: Sending): AttemptAbort | undefined {
    const { attemptTimeouts, idempotentTools, attempts, timeoutMs } = this.#options;
    if (attempts <= 1 || message.head.kind !== "request" || !idempotentTools.isRepeatable(message))
      return undefined;
    return attemptTimeouts.begin(message, signal, timeoutMs, attempt === 1);
  }

  #settled(attemptAbort: AttemptAbort | undefined, timer: Timer | undefined): void {
    this.#options.inFlight.leave();
    if (attemptAbort !== undefined) this.#options.attemptTimeouts.end(attemptAbort);
    clearTimeout(timer);
  }

  async #again(sending: Sending, error: unknown, delivered: boolean): Promise<void> {
    const { signal, reconnectWait } = sending;
    const isOurs = error instanceof BridgeError && !signal.aborted && !delivered;
    const waitMs = isOurs ? this.#retryWait(error, sending) : undefined;
    const isAway = isOurs && waitMs !== undefined && isAbsent(error);
    if (reconnectWait !== undefined && !isAway) this.#end(reconnectWait);
    if (!isOurs || waitMs === undefined) throw error;
    // If the deadline passes during the wait, report the failure that caused the wait.
    await this.#repeat(sending, error, waitMs, isAway).catch((end: Partial<Stop>) => {
      throw end.by === "deadline" ? error : end;
    });
  }

  async #repeat(sending: Sending, error: BridgeError, waitMs: number, isAway: boolean) {
    const { signal, attempt } = sending;
    const next = { ...sending, attempt: attempt + 1 };
    if (isAway) return this.#reconnect(next, error, waitMs);
    this.#note(sending, error, waitMs);
    await sleep(waitMs, signal);
    return this.#attempt({ ...next, reconnectWait: undefined });
  }

  /** The server cannot be reached: one request tries again, and others that fail meanwhile wait for its outcome. */
  async #reconnect(next: Sending, error: BridgeError, waitMs: number): Promise<void> {
    const { signal } = next;
    if (this.#reconnectWait !== undefined && this.#reconnectWait !== next.reconnectWait) {
      await abortable(this.#reconnectWait.promise, signal).catch(unlessClosing(error));
      if (this.#circuitOpen) throw error;
      return this.#attempt({ ...next, reconnectWait: undefined });
    }
    const isFirst = this.#reconnectWait === undefined;
    this.#reconnectWait ??= Promise.withResolvers();
    const reconnectWait = this.#reconnectWait;
    this.#note(next, error, waitMs, isFirst ? "info" : "debug");
    await sleep(waitMs, signal).catch((stop) => {
      this.#end(reconnectWait);
      unlessClosing(error)(stop);
    });
    return this.#attempt({ ...next, reconnectWait });
  }

  #end(reconnectWait: ReconnectWait): void {
    if (this.#reconnectWait === reconnectWait) this.#reconnectWait = undefined;
    reconnectWait.resolve();
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { next, inFlight } = this.#options;
    inFlight.enter();
    return next.listen(deliver, signal).finally(() => inFlight.leave());
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  #retryWait(error: BridgeError, { message, attempt, startedAt }: Sending): number | undefined {
    const { attempts, timeoutMs, random, now, idempotentTools } = this.#options;
    const waitMs = waitBefore({
      error,
      isRepeatable: idempotentTools.isRepeatable(message),
      attempt,
      attempts,
      elapsedMs: now() - startedAt,
      timeoutMs,
      startWaitMs: this.#hasAnswered ? undefined : this.#options.startWaitMs,
      circuitOpen: this.#circuitOpen,
      random,
    });
    // A connection attempt that timed out has used up the whole wait.
    const isSilent = error.kind === "unreachable" && error.status === undefined;
    this.#circuitOpen = waitMs === undefined && (isAbsent(error) || isSilent);
    return waitMs;
  }

  #note(
    { message, call, attempt }: Sending,
    { kind }: BridgeError,
    waitMs: number,
    level: "info" | "debug" = "info",
  ): void {
    const { log, name } = this.#options;
    log[level]("retrying", {
      server: name,
      id: call?.id.slice(0, 64),
      method: message.head.method,
      kind,
      attempt,
      ms: Math.round(waitMs),
    });
  }
}

function lost(name: string): BridgeError {
  return new BridgeError("timeout", `"${name}" did not begin to answer`, {
    hint: "check that the server is up, then try again",
  });
}
