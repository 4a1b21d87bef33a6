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
  readonly #clientRequests = new Map<string, Timer>();
  readonly #running = new Set<Running>();
  /** One timer for all: a call costs none of its own. Rings at `#ringsAt`, or earlier. */
  #timer: Timer | undefined;
  #nextCheckAt = Number.POSITIVE_INFINITY;
  #pausedAt = 0;
  #pausedMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Questions that wait for an answer. */
  get clientRequests(): number {
    return this.#clientRequests.size;
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
    this.#scheduleCheck(this.#dueAt(running));
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
  pause(clientRequest: string): void {
    if (this.#clientRequests.has(clientRequest)) return;
    if (this.#clientRequests.size === 0) this.#pausedAt = this.#now();
    const timer = setTimeout(() => this.resume(clientRequest), maxPauseMs);
    this.#clientRequests.set(clientRequest, timer);
  }

  /** The client answered, or the server no longer waits. */
  resume(clientRequest: string): void {
    clearTimeout(this.#clientRequests.get(clientRequest));
    if (!this.#clientRequests.delete(clientRequest) || this.#clientRequests.size > 0) return;
    this.#pausedMs += this.#now() - this.#pausedAt;
    for (const running of this.#running) this.#scheduleCheck(this.#dueAt(running));
  }

  /** How long the clock has stood still in all. */
  #paused(): number {
    return this.#pausedMs + (this.#clientRequests.size > 0 ? this.#now() - this.#pausedAt : 0);
  }

  /** How long it did for one call; a server that asks and asks does not stop it for ever. */
  #pauseOf({ pausedBefore }: Running): number {
    return Math.min(maxPauseMs, this.#paused() - pausedBefore);
  }

  /** When a call is over, unless something changes. */
  #dueAt(running: Running): number {
    const pauseMs = this.#clientRequests.size > 0 ? maxPauseMs : this.#pauseOf(running);
    return running.startedAt + running.budgetMs + pauseMs;
  }

  /** Rings early rather than often: what is not over then is looked at again. */
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
