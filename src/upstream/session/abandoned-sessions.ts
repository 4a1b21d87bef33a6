interface AbandonedSessionOptions {
  /** Ends one session at the server, within `deadlineMs`. */
  readonly end: (id: string, deadlineMs: number) => Promise<void>;
  /** Longest that a call can be under way. */
  readonly callMs: number;
}

/** No more are kept than these: where calls are refused again and again, they must not pile up. */
const maxLeft = 8;
/** How long the end of one may take, while nobody waits for it. */
const deleteTimeoutMs = 5000;

/** Sessions that others have taken the place of, though the server still keeps them: ended once no call is under way there. */
export class AbandonedSessions {
  readonly #options: AbandonedSessionOptions;
  readonly #timers = new Map<string, Timer>();

  constructor(options: AbandonedSessionOptions) {
    this.#options = options;
  }

  add(id: string): void {
    if (this.#timers.has(id)) return;
    const timer = setTimeout(() => this.#end(id, deleteTimeoutMs), this.#options.callMs);
    // The process must not live for this.
    timer.unref();
    this.#timers.set(id, timer);
    const [oldest] = this.#timers.keys();
    if (this.#timers.size > maxLeft) void this.#end(oldest!, deleteTimeoutMs);
  }

  /** Ends them all, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#timers.keys()].map((id) => this.#end(id, deadlineMs)));
  }

  #end(id: string, deadlineMs: number): Promise<void> {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    // What cannot be ended politely, the server ends by itself.
    return this.#options.end(id, deadlineMs).catch(() => undefined);
  }
}
