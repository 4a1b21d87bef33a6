/** The call ends this long before its deadline, or a tenth of its time: our error then comes before the timeout. */
const longestMarginMs = 1000;

/** Ends a call's wait for its user shortly before the call's deadline; its clock can be paused. */
export class PausableTimeout implements Disposable {
  readonly #end = new AbortController();
  readonly #reason: unknown;
  #leftMs: number;
  #startedAt = 0;
  #timer: Timer | undefined;

  /** `enteredAt`: when the call came, by `performance.now()`; `reason`: of the aborted signal. */
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
