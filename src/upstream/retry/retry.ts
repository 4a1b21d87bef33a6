// The one judge of what is sent twice. Nothing that may have been executed is, unless it says that it may be.
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
  /** Counts what is under way. */
  readonly inFlight: InFlightRequests;
  /** How often a request is sent at most; 1: never again. */
  readonly attempts: number;
  /** Deadline of a call: no wait goes beyond it. */
  readonly timeoutMs: number;
  /** How long a server that has never answered in this run is waited for; undefined: as any other. */
  readonly startWaitMs: number | undefined;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

/** What the judge looks at. */
export interface Situation {
  readonly error: BridgeError;
  readonly isRepeatable: boolean;
  /** Attempts made. */
  readonly attempt: number;
  readonly attempts: number;
  readonly elapsedMs: number;
  readonly timeoutMs: number;
  /** How long to wait for a server that has not answered in this run; undefined once it has. */
  readonly startWaitMs?: number | undefined;
  /** The server could not be reached for longer than we wait: the client is told at once. */
  readonly circuitOpen: boolean;
  readonly random: () => number;
}

const firstBackoffMs = 100;
const longestBackoffMs = 2000;
/** A server that is away is asked often enough to be found soon after it is back. */
const maxReconnectWaitMs = 400;
/** A server that says "too many" gets more room than one that dropped us. */
const tooManyRequestsBackoffMs = 500;
/** A server that wants us to wait longer than this is not waited for. */
const longestRetryAfterMs = 60_000;
/** How long a server that cannot be reached is waited for. */
const maxUnreachableMs = 3000;
/** Lets the cancellation of an attempt arrive before the next one, which has the same id. */
const cancellationMs = 200;

const absent: readonly ErrorKind[] = ["connection-refused", "dns", "unreachable"];

/** Whether the server cannot be reached at all: nothing of the request was sent. A proxy that refuses us (a status below 500) is there. */
function isAbsent({ kind, safeToRetry, status = 500 }: BridgeError): boolean {
  return safeToRetry && absent.includes(kind) && status >= 500;
}

/** Whether the request was certainly not executed: not sent, or refused for now. */
function isUntouched(error: BridgeError): boolean {
  const { kind, safeToRetry, status, retryAfterMs } = error;
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) return true;
  return isAbsent(error) || (safeToRetry && kind === "tls");
}

/** Whether a proxy in front of the server says that there is none behind it, as in a deploy. */
function isBehindGateway({ status }: BridgeError): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Whether another attempt may go better, and only the harm of a second execution stands against it. */
function isPassing({ kind, status }: BridgeError): boolean {
  return (
    kind === "outcome-unknown" || kind === "timeout" || (status !== undefined && status >= 500)
  );
}

/** Milliseconds to wait before the next attempt (full jitter), or undefined where there is none. */
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

/** The wait itself, unless it is longer than the `leftMs` or the server asks for too much. */
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

/** One request on its way. */
interface Sending {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly call: CallContext | undefined;
  readonly startedAt: number;
  /** Attempts made, this one included. */
  readonly attempt: number;
  /** The absence that this request waits out for all of them: it asks, the others wait. */
  readonly reconnectWait?: ReconnectWait | undefined;
}

/** Settles once the server is there again, or was waited for in vain. */
type ReconnectWait = PromiseWithResolvers<void>;

/** Repeats what may be repeated, within the deadline of its call. */
export class RetryUpstream implements Upstream {
  readonly #options: RetryOptions;
  /** The circuit: open after a server could not be reached for the whole of our patience. */
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
    // What is not refused by then is being served.
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
    const waitMs = isOurs ? this.#judge(error, sending) : undefined;
    const isAway = isOurs && waitMs !== undefined && isAbsent(error);
    if (reconnectWait !== undefined && !isAway) this.#end(reconnectWait);
    if (!isOurs || waitMs === undefined) throw error;
    // Where the time runs out meanwhile, the failure says more than the clock.
    await this.#repeat(sending, error, waitMs, isAway).catch((end: Partial<Stop>) => {
      throw end.by === "deadline" ? error : end;
    });
  }

  async #repeat(sending: Sending, error: BridgeError, waitMs: number, isAway: boolean) {
    const { signal, attempt } = sending;
    const next = { ...sending, attempt: attempt + 1 };
    if (isAway) return this.#waitOut(next, error, waitMs);
    this.#note(sending, error, waitMs);
    await sleep(waitMs, signal);
    return this.#attempt({ ...next, reconnectWait: undefined });
  }

  /** The server is away: one request asks for it again, and those that fail meanwhile wait for what comes of that. */
  async #waitOut(next: Sending, error: BridgeError, waitMs: number): Promise<void> {
    const { signal } = next;
    if (this.#reconnectWait !== undefined && this.#reconnectWait !== next.reconnectWait) {
      await abortable(this.#reconnectWait.promise, signal);
      if (this.#circuitOpen) throw error;
      return this.#attempt({ ...next, reconnectWait: undefined });
    }
    this.#reconnectWait ??= Promise.withResolvers();
    const reconnectWait = this.#reconnectWait;
    this.#note(next, error, waitMs);
    await sleep(waitMs, signal).catch((reason) => {
      this.#end(reconnectWait);
      throw reason;
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

  #judge(error: BridgeError, { message, attempt, startedAt }: Sending): number | undefined {
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
    // Where no connection came about in its time, that was our patience.
    const isSilent = error.kind === "unreachable" && error.status === undefined;
    this.#circuitOpen = waitMs === undefined && (isAbsent(error) || isSilent);
    return waitMs;
  }

  #note({ message, call, attempt }: Sending, { kind }: BridgeError, waitMs: number): void {
    const { log, name } = this.#options;
    log.info("retrying", {
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
