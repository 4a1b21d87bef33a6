/** Longest total pause of one call, however often the user is asked. */
export const maxPauseMs = 600_000;
/** Longest duration to which progress extends a call, without pauses. */
const maxExtendedMs = 600_000;
/** A call that was extended this recently need not be extended again: reading the token of each notification of a burst takes a quarter of the bridge's time for it. */
const extendedRecentlyMs = 10;

/** The deadline of one call. */
export interface Deadline {
  /** Starts the call's time again, up to `maxExtendedMs`. */
  extend(): void;
  /** Whether it was extended within the last 10 ms: another extension would not change it notably. */
  readonly isExtended: boolean;
  /** Pauses the deadline until the returned function is called; several pauses may overlap. */
  pause(): () => void;
  callOff(): void;
}

/** A call under way: the numbers that its deadline is computed from. One object, no closures, because each call has one. */
class Running implements Deadline {
  readonly startedAt: number;
  readonly ms: number;
  readonly expire: () => void;
  budgetMs: number;
  /** Number of open pauses. */
  pauses = 0;
  /** When the first open pause began. */
  pausedAt = 0;
  /** Total length of the pauses that have ended. */
  pausedMs = 0;
  extendedAt = Number.NEGATIVE_INFINITY;
  readonly #deadlines: Deadlines;

  constructor(deadlines: Deadlines, startedAt: number, ms: number, expire: () => void) {
    this.#deadlines = deadlines;
    this.startedAt = startedAt;
    this.ms = ms;
    this.budgetMs = ms;
    this.expire = expire;
  }

  extend(): void {
    this.#deadlines.extend(this);
  }

  get isExtended(): boolean {
    return this.#deadlines.isExtended(this);
  }

  pause(): () => void {
    return this.#deadlines.pause(this);
  }

  callOff(): void {
    this.#deadlines.callOff(this);
  }
}

/** Deadlines of calls. Each can be paused while the server waits for the user. */
export class Deadlines {
  readonly #now: () => number;
  readonly #running = new Set<Running>();
  /** One timer for all calls, cheaper than one for each. Fires at `#nextCheckAt`. */
  #timer: Timer | undefined;
  #nextCheckAt = Number.POSITIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls `expire` once, after `ms` without the pauses. */
  start(ms: number, expire: () => void): Deadline {
    const running = new Running(this, this.#now(), ms, expire);
    this.#running.add(running);
    this.#scheduleCheck(this.#dueAt(running));
    return running;
  }

  extend(running: Running): void {
    running.extendedAt = this.#now();
    const elapsed = running.extendedAt - running.startedAt - this.#pauseOf(running);
    const budgetMs = Math.min(elapsed + running.ms, maxExtendedMs);
    running.budgetMs = Math.max(running.budgetMs, budgetMs);
  }

  isExtended({ extendedAt }: Running): boolean {
    return this.#now() - extendedAt < extendedRecentlyMs;
  }

  callOff(running: Running): void {
    this.#running.delete(running);
  }

  pause(running: Running): () => void {
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

  /** Total pause of a call, capped: a server that asks without end must not stop its deadline for ever. */
  #pauseOf({ pauses, pausedAt, pausedMs }: Running): number {
    return Math.min(maxPauseMs, pausedMs + (pauses > 0 ? this.#now() - pausedAt : 0));
  }

  /** When a call expires, unless it is extended or paused again. */
  #dueAt(running: Running): number {
    const pauseMs = running.pauses > 0 ? maxPauseMs : this.#pauseOf(running);
    return running.startedAt + running.budgetMs + pauseMs;
  }

  /** Sets the timer unless it fires earlier. A check that comes too early sets it again. */
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
