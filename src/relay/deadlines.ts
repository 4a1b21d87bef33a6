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
  readonly startedAt: number;
  /** How long the clock had stood still in all when it began. */
  readonly pausedBefore: number;
  budgetMs: number;
  readonly expire: () => void;
}

/** Deadlines of calls on a clock that stands still while the server waits for the client. */
export class Deadlines {
  readonly #now: () => number;
  /** Questions of the server that the client has not answered, by id. */
  readonly #questions = new Map<string, Timer>();
  readonly #running = new Set<Running>();
  /** One timer for all: a call costs none of its own. Rings at `#ringsAt`, or earlier. */
  #timer: Timer | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;
  #pausedAt = 0;
  #pausedMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Questions that wait for an answer. */
  get questions(): number {
    return this.#questions.size;
  }

  /** Calls `expire` once, after `ms` of this clock. */
  start(ms: number, expire: () => void): Deadline {
    const running: Running = {
      startedAt: this.#now(),
      pausedBefore: this.#paused(),
      budgetMs: ms,
      expire,
    };
    this.#running.add(running);
    this.#ringBy(this.#dueAt(running));
    return {
      extend: () => {
        const elapsed = this.#now() - running.startedAt - this.#pauseOf(running);
        const budgetMs = Math.min(elapsed + ms, maxExtendedMs);
        running.budgetMs = Math.max(running.budgetMs, budgetMs);
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

  /** How long the clock has stood still in all. */
  #paused(): number {
    return this.#pausedMs + (this.#questions.size > 0 ? this.#now() - this.#pausedAt : 0);
  }

  /** How long it did for one call; a server that asks and asks does not stop it for ever. */
  #pauseOf({ pausedBefore }: Running): number {
    return Math.min(maxPauseMs, this.#paused() - pausedBefore);
  }

  /** When a call is over, unless something changes. */
  #dueAt(running: Running): number {
    const pauseMs = this.#questions.size > 0 ? maxPauseMs : this.#pauseOf(running);
    return running.startedAt + running.budgetMs + pauseMs;
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
}
