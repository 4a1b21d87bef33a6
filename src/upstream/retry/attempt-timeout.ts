// How long an attempt waits for the response headers before another one is made in its place.
import type { InFlightRequests } from "../../http/in-flight.ts";
import type { Message } from "../../wire/message.ts";
import type { Stop } from "../core/types.ts";
import { startMs } from "./deadline.ts";
import type { IdempotentTools } from "./idempotent-tools.ts";

/** A first attempt gets this share of the call's deadline, but at least `leastMs`; the rest is left for the second attempt. */
const share = 1 / 3;
const leastMs = 5000;
/** Most tools and methods that are remembered as slow. */
const maxSlow = 1000;

const tooLate: Stop = { by: "deadline" };

/** Aborts one attempt without its call; is aborted with the call, too. */
export class AttemptAbort {
  readonly message: Message;
  readonly isFirst: boolean;
  readonly dueAt: number;
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  readonly #call: AbortSignal;
  readonly #follow = () => this.#controller.abort(this.#call.reason);

  constructor(message: Message, call: AbortSignal, isFirst: boolean, dueAt: number) {
    this.message = message;
    this.#call = call;
    this.isFirst = isFirst;
    this.dueAt = dueAt;
    call.addEventListener("abort", this.#follow);
    if (call.aborted) this.#follow();
  }

  /** Removes the listener from the call, which outlives its attempts. */
  release(): void {
    this.#call.removeEventListener("abort", this.#follow);
  }

  abandon(): void {
    this.#controller.abort(tooLate);
  }

  /** Whether the attempt was aborted because no response headers came in its time. */
  get isAbandoned(): boolean {
    return this.signal.reason === tooLate;
  }
}

/**
 * Watches the repeatable requests that wait for their response headers. The first attempt is aborted after a share of
 * the call's deadline; otherwise a request that was lost on the way would use up the whole deadline.
 */
export class AttemptTimeouts {
  readonly #idempotentTools: IdempotentTools;
  readonly #inFlight: InFlightRequests;
  readonly #now: () => number;
  readonly #awaiting = new Map<AbortSignal, AttemptAbort>();
  /** Tools and methods whose second attempt was silent for as long, too: the server is slow, the request was not lost. */
  readonly #slow = new Set<string>();
  #timer: Timer | undefined;
  #nextCheckAt = Number.POSITIVE_INFINITY;

  constructor(idempotentTools: IdempotentTools, inFlight: InFlightRequests, now: () => number) {
    this.#idempotentTools = idempotentTools;
    this.#inFlight = inFlight;
    this.#now = now;
  }

  /** An attempt begins; `timeoutMs` is the deadline of its call. */
  begin(message: Message, call: AbortSignal, timeoutMs: number, isFirst: boolean): AttemptAbort {
    const wholeMs = message.head.method === "initialize" ? Math.min(timeoutMs, startMs) : timeoutMs;
    const dueAt = this.#now() + Math.max(leastMs, wholeMs * share);
    const attemptAbort = new AttemptAbort(message, call, isFirst, dueAt);
    this.#awaiting.set(attemptAbort.signal, attemptAbort);
    this.#scheduleCheck(dueAt);
    return attemptAbort;
  }

  /** The response headers of an attempt have come: it is no longer timed. */
  onResponseHeaders(signal: AbortSignal): void {
    this.#awaiting.delete(signal);
  }

  /** The attempt is over. */
  end(attemptAbort: AttemptAbort): void {
    this.#awaiting.delete(attemptAbort.signal);
    attemptAbort.release();
  }

  /** One timer for all attempts. It may fire too early, and is then set again: cheaper than a timer for each. */
  #scheduleCheck(at: number): void {
    if (at >= this.#nextCheckAt) return;
    clearTimeout(this.#timer);
    this.#nextCheckAt = at;
    this.#timer = setTimeout(() => this.#check(), Math.max(0, at - this.#now()));
    this.#timer.unref();
  }

  #check(): void {
    this.#nextCheckAt = Number.POSITIVE_INFINITY;
    const now = this.#now();
    for (const attemptAbort of [...this.#awaiting.values()]) {
      if (attemptAbort.dueAt > now) this.#scheduleCheck(attemptAbort.dueAt);
      else this.#lose(attemptAbort);
    }
  }

  #lose(attemptAbort: AttemptAbort): void {
    this.#awaiting.delete(attemptAbort.signal);
    const { message } = attemptAbort;
    // The server's tool list may have changed since the attempt began.
    if (!this.#idempotentTools.isRepeatable(message)) return;
    const subject = message.name ?? message.head.method!;
    // Two silent attempts: the server is working on the call, so aborting it again would only do harm.
    if (!attemptAbort.isFirst && this.#slow.size < maxSlow) this.#slow.add(subject);
    if (!attemptAbort.isFirst || this.#slow.has(subject)) return;
    this.#inFlight.suspect();
    attemptAbort.abandon();
  }
}
