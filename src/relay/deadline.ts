/** Longest the clock stands still for one call, whatever the server asks the client meanwhile. */
const maxPauseMs = 600_000;
/** Longest that progress keeps a call alive, counted from its start. */
const maxExtendedMs = 600_000;

/** The deadline of one call. */
export interface Deadline {
  /** Begins the call's time anew, up to a cap. */
  extend(): void;
  callOff(): void;
}

interface Running {
  /** On the clock that stands still. */
  end: number;
  /** On the real one. */
  readonly lastAt: number;
  readonly expire: () => void;
}

/** Deadlines of calls on a clock that stands still while the server waits for the client. */
export class Deadlines {
  readonly #now: () => number;
  /** Questions of the server that the client has not answered, by id. */
  readonly #questions = new Map<string, Timer>();
  readonly #running = new Set<Running>();
  /** One timer for all: a call costs none of its own. Rings at `#ringsAt` of the real clock, or later. */
  #timer: Timer | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;
  #pausedAt = 0;
  #pausedMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls `expire` once, after `ms` of this clock. */
  start(ms: number, expire: () => void): Deadline {
    const startedAt = this.#clock();
    const running: Running = {
      end: startedAt + ms,
      // A server that asks and asks would stop the clock for ever.
      lastAt: this.#now() + Math.max(ms, maxExtendedMs) + maxPauseMs,
      expire,
    };
    this.#running.add(running);
    this.#ringBy(this.#dueAt(running));
    return {
      extend: () => {
        const end = Math.min(this.#clock() + ms, startedAt + maxExtendedMs);
        running.end = Math.max(running.end, end);
      },
      callOff: () => {
        this.#running.delete(running);
      },
    };
  }

  /** The server asked the client something. */
  pause(question: string): void {
    if (this.#questions.has(question)) return;
    if (this.#questions.size === 0) this.#pausedAt = this.#now();
    const timer = setTimeout(() => this.resume(question), maxPauseMs);
    this.#questions.set(question, timer);
  }

  /** The client answered, or the server no longer waits. */
  resume(question: string): void {
    clearTimeout(this.#questions.get(question));
    if (!this.#questions.delete(question) || this.#questions.size > 0) return;
    this.#pausedMs += this.#now() - this.#pausedAt;
    for (const running of this.#running) this.#ringBy(this.#dueAt(running));
  }

  /** When, on the real clock, a call is over unless something changes. */
  #dueAt({ end, lastAt }: Running): number {
    return this.#questions.size > 0 ? lastAt : Math.min(lastAt, end + this.#pausedMs);
  }

  /** Rings early rather than often: what is not over then is looked at again. */
  #ringBy(at: number): void {
    if (at >= this.#ringsAt) return;
    clearTimeout(this.#timer);
    this.#ringsAt = at;
    this.#timer = setTimeout(() => this.#ring(), Math.max(0, at - this.#now()));
  }

  #ring(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
    const now = this.#now();
    for (const running of [...this.#running]) {
      const dueAt = this.#dueAt(running);
      if (dueAt > now) this.#ringBy(dueAt);
      else if (this.#running.delete(running)) running.expire();
    }
  }

  #clock(): number {
    return (this.#questions.size > 0 ? this.#pausedAt : this.#now()) - this.#pausedMs;
  }
}
