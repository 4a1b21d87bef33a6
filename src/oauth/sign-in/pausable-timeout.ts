/** The wait ends this long before the call's deadline, or a tenth of the call's time if that is shorter: the bridge's error then precedes the timeout. */
const longestMarginMs = 1000;

/** Ends a call's wait for the user shortly before the call's deadline; can be paused. */
export class PausableTimeout implements Disposable {
  readonly #end = new AbortController();
  readonly #reason: unknown;
  #leftMs: number;
  #startedAt = 0;
  #timer: Timer | undefined;

  /** `enteredAt`: when the call arrived, by `performance.now()`; `reason`: the abort reason of `signal`. */
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
