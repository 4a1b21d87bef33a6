// How long an attempt may be without a byte of an answer, where another may be made.
import type { Crowd } from "../../http/in-flight.ts";
import type { Message } from "../../wire/message.ts";
import type { Stop } from "../core/types.ts";
import { startMs } from "./deadline.ts";
import type { Hints } from "./idempotent-tools.ts";

/** A first attempt gets this part of its deadline, but not less than that: what is left is the second one's. */
const share = 1 / 3;
const leastMs = 5000;
/** Names that are remembered as slow. */
const maxSlow = 1000;

const tooLate: Stop = { by: "deadline" };

/** Ends one attempt, and not its call. */
export class Leash {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  #call: AbortSignal | undefined;
  message: Message | undefined;
  isFirst = false;
  dueAt = 0;
  readonly #follow = () => this.#controller.abort(this.#call?.reason);

  /** Ends with `call`, too. */
  tie(call: AbortSignal): void {
    this.#call = call;
    call.addEventListener("abort", this.#follow);
    if (call.aborted) this.#follow();
  }

  untie(): void {
    this.#call?.removeEventListener("abort", this.#follow);
    this.#call = undefined;
    this.message = undefined;
  }

  cut(): void {
    this.#controller.abort(tooLate);
  }

  /** Whether it was cut. */
  get isCut(): boolean {
    return this.signal.reason === tooLate;
  }
}

/**
 * Watches over the requests that may be repeated and wait for the head of their answer. The first attempt is ended
 * after a part of its deadline: a request that was lost would else cost the whole of it.
 */
export class Patience {
  readonly #hints: Hints;
  readonly #crowd: Crowd;
  readonly #unheard = new Map<AbortSignal, Leash>();
  /** Nearly every attempt ends by itself, and leaves its leash to another. */
  readonly #free: Leash[] = [];
  /** What takes its time and is not lost. */
  readonly #slow = new Set<string>();
  #timer: Timer | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;

  constructor(hints: Hints, crowd: Crowd) {
    this.#hints = hints;
    this.#crowd = crowd;
  }

  /** An attempt begins; `timeoutMs` is the deadline of its call. */
  begin(message: Message, call: AbortSignal, timeoutMs: number, isFirst: boolean): Leash {
    const leash = this.#free.pop() ?? new Leash();
    const wholeMs = message.head.method === "initialize" ? Math.min(timeoutMs, startMs) : timeoutMs;
    leash.message = message;
    leash.isFirst = isFirst;
    leash.dueAt = performance.now() + Math.max(leastMs, wholeMs * share);
    leash.tie(call);
    this.#unheard.set(leash.signal, leash);
    this.#ringBy(leash.dueAt);
    return leash;
  }

  /** The head of an answer came. */
  heard(signal: AbortSignal): void {
    this.#unheard.delete(signal);
  }

  /** The attempt is over. */
  end(leash: Leash): void {
    this.#unheard.delete(leash.signal);
    leash.untie();
    if (!leash.signal.aborted) this.#free.push(leash);
  }

  /** One timer for all; it rings early rather than often. */
  #ringBy(at: number): void {
    if (at >= this.#ringsAt) return;
    clearTimeout(this.#timer);
    this.#ringsAt = at;
    this.#timer = setTimeout(() => this.#ring(), Math.max(0, at - performance.now()));
    this.#timer.unref();
  }

  #ring(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const leash of [...this.#unheard.values()]) {
      if (leash.dueAt > now) this.#ringBy(leash.dueAt);
      else this.#lose(leash);
    }
  }

  #lose(leash: Leash): void {
    this.#unheard.delete(leash.signal);
    const message = leash.message!;
    // The list may have changed since.
    if (!this.#hints.isRepeatable(message)) return;
    const subject = message.name ?? message.head.method!;
    // What is silent for so long twice is at work: ending it would be all that goes wrong.
    if (!leash.isFirst && this.#slow.size < maxSlow) this.#slow.add(subject);
    if (!leash.isFirst || this.#slow.has(subject)) return;
    this.#crowd.suspect();
    leash.cut();
  }
}
