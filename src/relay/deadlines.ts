/** Longest that a call's clock stands still, however often the client's user is asked. */
export const maxPauseMs = 600_000;
/** Longest that progress keeps a call alive, counted from its start. */
const maxExtendedMs = 600_000;

/** The deadline of one call. */
export interface Deadline {
  /** Begins the call's time anew, up to a cap. */
  extend(): void;
  /** Stops its clock until the returned function is called; several pauses may overlap. */
  pause(): () => void;
  callOff(): void;
}

interface Running {
  readonly startedAt: number;
  budgetMs: number;
  readonly expire: () => void;
  /** Pauses that are open. */
  pauses: number;
  /** When the first of them began. */
  pausedAt: number;
  /** Length of those that are over. */
  pausedMs: number;
}

/** Deadlines of calls; each has a clock of its own, which stands still while the server waits for the client's user. */
export class Deadlines {
  readonly #now: () => number;
  readonly #running = new Set<Running>();
  /** One timer for all calls: one for each would cost every call a timer. Rings at `#nextCheckAt`. */
  #timer: Timer | undefined;
  #nextCheckAt = Number.POSITIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls `expire` once, after `ms` of the call's clock. */
  start(ms: number, expire: () => void): Deadline {
    const startedAt = this.#now();
    const running: Running = {
      startedAt,
      budgetMs: ms,
      expire,
      pauses: 0,
      pausedAt: 0,
      pausedMs: 0,
    };
    this.#running.add(running);
    this.#scheduleCheck(this.#dueAt(running));
    return {
      extend: () => {
        const elapsed = this.#now() - startedAt - this.#pauseOf(running);
        const budgetMs = Math.min(elapsed + ms, maxExtendedMs);
        running.budgetMs = Math.max(running.budgetMs, budgetMs);
      },
      pause: () => this.#pause(running),
      callOff: () => {
        this.#running.delete(running);
      },
    };
  }

  #pause(running: Running): () => void {
    if (running.pauses++ === 0) running.pausedAt = this.#now();
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      if (--running.pauses > 0) return;
      running.pausedMs += this.#now() - running.pausedAt;
      if (this.#running.has(running)) this.#scheduleCheck(this.#dueAt(running));
    };
  }

  /** How long the call's clock has stood still; a server that asks without end does not stop it for ever. */
  #pauseOf({ pauses, pausedAt, pausedMs }: Running): number {
    return Math.min(maxPauseMs, pausedMs + (pauses > 0 ? this.#now() - pausedAt : 0));
  }

  /** When a call is over, unless something changes. */
  #dueAt(running: Running): number {
    const pauseMs = running.pauses > 0 ? maxPauseMs : this.#pauseOf(running);
    return running.startedAt + running.budgetMs + pauseMs;
  }

  /** Rings early rather than often: a call that is not over by then is looked at again. */
  #scheduleCheck(at: number): void {
    if (at >= this.#nextCheckAt) return;
    clearTimeout(this.#timer);
    this.#nextCheckAt = at;
    this.#timer = setTimeout(() => this.#check(), Math.max(0, at - this.#now()));
  }

  #check(): void {
    this.#nextCheckAt = Number.POSITIVE_INFINITY;
    const now = this.#now();
    for (const running of [...this.#running]) {
      const dueAt = this.#dueAt(running);
      if (dueAt > now) this.#scheduleCheck(dueAt);
      else if (this.#running.delete(running)) running.expire();
    }
  }
}
