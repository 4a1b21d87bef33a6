/** The call is answered this much before its deadline, or a tenth of that time: then our words come first. */
const longestMarginMs = 1000;

/** How long a call may wait for its person: to the end of its time, on a clock that can be stopped. */
export class PausableTimeout implements Disposable {
  readonly #end = new AbortController();
  readonly #reason: unknown;
  #leftMs: number;
  #startedAt = 0;
  #timer: Timer | undefined;

  /** `enteredAt`: when the call came, by `performance.now()`; `reason`: what the signal is aborted with. */
  constructor(timeoutMs: number, enteredAt: number, reason: unknown) {
    const marginMs = Math.min(longestMarginMs, timeoutMs / 10);
    this.#leftMs = timeoutMs - marginMs - (performance.now() - enteredAt);
    this.#reason = reason;
    this.resume();
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  pause(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftMs -= performance.now() - this.#startedAt;
  }

  resume(): void {
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => this.#end.abort(this.#reason), Math.max(this.#leftMs, 0));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
