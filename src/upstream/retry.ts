// The one judge of what is sent twice. Nothing that may have been executed is, unless it says that it may be.
import type { Log } from "../host/log.ts";
import { BridgeError, type ErrorKind } from "../wire/errors.ts";
import type { Message } from "../wire/message.ts";
import { sleep } from "./event-stream.ts";
import type { Hints } from "./hints.ts";
import type { Deliver, Upstream } from "./types.ts";

export interface RetryOptions {
  readonly next: Upstream;
  readonly hints: Hints;
  /** How often a request is sent at most; 1: never again. */
  readonly attempts: number;
  /** Deadline of a call: no wait goes beyond it. */
  readonly timeoutMs: number;
  readonly log: Log;
  readonly name: string;
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
  /** The server could not be reached for longer than we wait: the client is told at once. */
  readonly isOpen: boolean;
  readonly random: () => number;
}

const firstBackoffMs = 100;
const longestBackoffMs = 2000;
/** A server that is away is asked often enough to be found soon after it is back. */
const longestAbsenceMs = 400;
/** A server that says "too many" gets more room than one that dropped us. */
const crowdedBackoffMs = 500;
/** A server that wants us to wait longer than this is not waited for. */
const longestRetryAfterMs = 60_000;
/** How long a server that cannot be reached is waited for. */
const patienceMs = 3000;

const absent: readonly ErrorKind[] = ["connection-refused", "dns", "unreachable"];

/** Whether the server cannot be reached at all: nothing of the request was sent. */
function isAbsent({ kind, notSent }: BridgeError): boolean {
  return notSent && absent.includes(kind);
}

/** Whether the request was certainly not executed: not sent, or refused for now. */
function isUntouched(error: BridgeError): boolean {
  const { kind, notSent, status, retryAfterMs } = error;
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) return true;
  return isAbsent(error) || (notSent && kind === "tls");
}

/** Whether another attempt may go better, and only the harm of a second execution stands against it. */
function isPassing({ kind, status }: BridgeError): boolean {
  return (
    kind === "outcome-unknown" || kind === "timeout" || (status !== undefined && status >= 500)
  );
}

/** Milliseconds to wait before the next attempt (full jitter), or undefined where there is none. */
export function waitBefore(situation: Situation): number | undefined {
  const { error, isRepeatable, attempt, attempts, elapsedMs, timeoutMs, random } = situation;
  if (attempts <= 1) return undefined;
  if (!isUntouched(error) && !(isRepeatable && isPassing(error))) return undefined;
  const leftMs = (isAbsent(error) ? Math.min(timeoutMs / 2, patienceMs) : timeoutMs) - elapsedMs;
  if (isAbsent(error) ? situation.isOpen : attempt >= attempts) return undefined;
  const base = error.status === 429 ? crowdedBackoffMs : firstBackoffMs;
  const longest = isAbsent(error) ? longestAbsenceMs : longestBackoffMs;
  const backoff = random() * Math.min(longest, base * 2 ** (attempt - 1));
  const asked = error.retryAfterMs;
  if (asked !== undefined && asked > longestRetryAfterMs) return undefined;
  const wait = asked === undefined ? backoff : asked + random() * Math.min(asked / 10 + 50, 1000);
  return wait < leftMs ? wait : undefined;
}

/** One request on its way. */
interface Sending {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  /** Attempts made, this one included. */
  readonly attempt: number;
}

/** Repeats what may be repeated, within the deadline of its call. */
export class RetryUpstream implements Upstream {
  readonly #options: RetryOptions;
  /** The circuit: open after a server could not be reached for the whole of our patience. */
  #isOpen = false;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    return this.#attempt({ message, deliver, signal, startedAt, attempt: 1 });
  }

  #attempt(sending: Sending): Promise<void> {
    const { next, hints } = this.#options;
    const { message, deliver, signal } = sending;
    let delivered = false;
    const take: Deliver = (said) => {
      delivered = true;
      hints.hear(said);
      const done = deliver(said);
      return hints.isList(message) ? done.then(() => hints.learn(message, said)) : done;
    };
    return next.send(message, take, signal).then(
      () => {
        this.#isOpen = false;
      },
      (error) => this.#again(sending, error, delivered),
    );
  }

  async #again(sending: Sending, error: unknown, delivered: boolean): Promise<void> {
    const { message, signal, attempt, startedAt } = sending;
    const waitMs =
      signal.aborted || delivered || !(error instanceof BridgeError)
        ? undefined
        : this.#judge(error, message, attempt, performance.now() - startedAt);
    if (waitMs === undefined) throw error;
    await sleep(waitMs, signal);
    return this.#attempt({ ...sending, attempt: attempt + 1 });
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { next, hints } = this.#options;
    const hear: Deliver = (said) => {
      hints.hear(said);
      return deliver(said);
    };
    return next.listen(hear, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  #judge(error: BridgeError, message: Message, attempt: number, elapsedMs: number) {
    const { attempts, timeoutMs, random, hints, log, name } = this.#options;
    const waitMs = waitBefore({
      error,
      isRepeatable: hints.isRepeatable(message),
      attempt,
      attempts,
      elapsedMs,
      timeoutMs,
      isOpen: this.#isOpen,
      random,
    });
    this.#isOpen = isAbsent(error) && waitMs === undefined;
    if (waitMs !== undefined)
      log.info("retrying", {
        server: name,
        method: message.head.method,
        kind: error.kind,
        attempt,
        ms: Math.round(waitMs),
      });
    return waitMs;
  }
}
