// How long an attempt may be without a byte of an answer, where another may be made.
import type { InFlightRequests } from "../../http/in-flight.ts";
import type { Message } from "../../wire/message.ts";
import type { Stop } from "../core/types.ts";
import { startMs } from "./deadline.ts";
import type { IdempotentTools } from "./idempotent-tools.ts";

/** A first attempt gets this part of its deadline, but not less than that: what is left is the second one's. */
const share = 1 / 3;
const leastMs = 5000;
/** Names that are remembered as slow. */
const maxSlow = 1000;

const tooLate: Stop = { by: "deadline" };

/** Ends one attempt, and not its call. */
export class AttemptAbort {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  #call: AbortSignal | undefined;
  message: Message | undefined;
  isFirst = false;
  dueAt = 0;
  readonly #follow = () => this.#controller.abort(this.#call?.reason);

  /** Ends with `call`, too. */
  follow(call: AbortSignal): void {
    this.#call = call;
    call.addEventListener("abort", this.#follow);
    if (call.aborted) this.#follow();
  }

  release(): void {
    this.#call?.removeEventListener("abort", this.#follow);
    this.#call = undefined;
    this.message = undefined;
  }

  abandon(): void {
    this.#controller.abort(tooLate);
  }

  /** Whether it was cut. */
  get isAbandoned(): boolean {
    return this.signal.reason === tooLate;
  }
}

/**
 * Watches over the requests that may be repeated and wait for the head of their answer. The first attempt is ended
 * after a part of its deadline: a request that was lost would else cost the whole of it.
 */
export class AttemptTimeouts {
  readonly #idempotentTools: IdempotentTools;
  readonly #inFlight: InFlightRequests;
  readonly #now: () => number;
  readonly #awaiting = new Map<AbortSignal, AttemptAbort>();
  /** Nearly every attempt ends by itself, and leaves its leash to another. */
  readonly #free: AttemptAbort[] = [];
  /** What takes its time and is not lost. */
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
    const attemptAbort = this.#free.pop() ?? new AttemptAbort();
    const wholeMs = message.head.method === "initialize" ? Math.min(timeoutMs, startMs) : timeoutMs;
    attemptAbort.message = message;
    attemptAbort.isFirst = isFirst;
    attemptAbort.dueAt = this.#now() + Math.max(leastMs, wholeMs * share);
    attemptAbort.follow(call);
    this.#awaiting.set(attemptAbort.signal, attemptAbort);
    this.#scheduleCheck(attemptAbort.dueAt);
    return attemptAbort;
  }

  /** The head of an answer came. */
  onResponseHeaders(signal: AbortSignal): void {
    this.#awaiting.delete(signal);
  }

  /** The attempt is over. */
  end(attemptAbort: AttemptAbort): void {
    this.#awaiting.delete(attemptAbort.signal);
    attemptAbort.release();
    if (!attemptAbort.signal.aborted) this.#free.push(attemptAbort);
  }

  /** One timer for all; it rings early rather than often. */
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
    const message = attemptAbort.message!;
    // The list may have changed since.
    if (!this.#idempotentTools.isRepeatable(message)) return;
    const subject = message.name ?? message.head.method!;
    // What is silent for so long twice is at work: ending it would be all that goes wrong.
    if (!attemptAbort.isFirst && this.#slow.size < maxSlow) this.#slow.add(subject);
    if (!attemptAbort.isFirst || this.#slow.has(subject)) return;
    this.#inFlight.suspect();
    attemptAbort.abandon();
  }
}
