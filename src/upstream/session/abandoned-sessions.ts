interface AbandonedSessionOptions {
  /** Ends one session at the server, within `deadlineMs`. */
  readonly end: (id: string, deadlineMs: number) => Promise<void>;
  /** Longest time that a call can be under way. */
  readonly callMs: number;
}

/** Most sessions that wait for their end: calls that are refused again and again must not pile them up. */
const maxAbandoned = 8;
/** Deadline of one DELETE in the background. */
const deleteTimeoutMs = 5000;

/** Sessions that were replaced although the server still keeps them: each is ended once no call can be under way in it. */
export class AbandonedSessions {
  readonly #options: AbandonedSessionOptions;
  readonly #timers = new Map<string, Timer>();

  constructor(options: AbandonedSessionOptions) {
    this.#options = options;
  }

  add(id: string): void {
    if (this.#timers.has(id)) return;
    const timer = setTimeout(() => this.#end(id, deleteTimeoutMs), this.#options.callMs);
    // The timer must not keep the process alive.
    timer.unref();
    this.#timers.set(id, timer);
    const [oldest] = this.#timers.keys();
    if (this.#timers.size > maxAbandoned) void this.#end(oldest!, deleteTimeoutMs);
  }

  /** Ends all of them, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#timers.keys()].map((id) => this.#end(id, deadlineMs)));
  }

  #end(id: string, deadlineMs: number): Promise<void> {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    // A session whose DELETE fails expires at the server.
    return this.#options.end(id, deadlineMs).catch(() => undefined);
  }
}
