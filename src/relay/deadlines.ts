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

/** The deadline of one call under way. One object without closures, because each call has one. */
class Running implements Deadline {
  readonly expire: () => void;
  readonly #deadlines: Deadlines;
  readonly #startedAt: number;
  readonly #ms: number;
  #budgetMs: number;
  /** Number of open pauses. */
  #pauses = 0;
  /** When the first open pause began. */
  #pausedAt = 0;
  /** Total length of the pauses that have ended. */
  #pausedMs = 0;
  #extendedAt = Number.NEGATIVE_INFINITY;

  constructor(deadlines: Deadlines, ms: number, expire: () => void) {
    this.#deadlines = deadlines;
    this.#startedAt = deadlines.now();
    this.#ms = ms;
    this.#budgetMs = ms;
    this.expire = expire;
  }

  extend(): void {
    this.#extendedAt = this.#deadlines.now();
    const elapsed = this.#extendedAt - this.#startedAt - this.#pauseMs;
    const budgetMs = Math.min(elapsed + this.#ms, maxExtendedMs);
    this.#budgetMs = Math.max(this.#budgetMs, budgetMs);
  }

  get isExtended(): boolean {
    return this.#deadlines.now() - this.#extendedAt < extendedRecentlyMs;
  }

  pause(): () => void {
    if (this.#pauses++ === 0) this.#pausedAt = this.#deadlines.now();
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      if (--this.#pauses > 0) return;
      this.#pausedMs += this.#deadlines.now() - this.#pausedAt;
      this.#deadlines.resume(this);
    };
  }

  callOff(): void {
    this.#deadlines.forget(this);
  }

  /** When the call expires, unless it is extended or paused again. */
  get dueAt(): number {
    const pauseMs = this.#pauses > 0 ? maxPauseMs : this.#pauseMs;
    return this.#startedAt + this.#budgetMs + pauseMs;
  }

  /** Total pause, capped: a server that asks without end must not stop the deadline for ever. */
  get #pauseMs(): number {
    const openMs = this.#pauses > 0 ? this.#deadlines.now() - this.#pausedAt : 0;
    return Math.min(maxPauseMs, this.#pausedMs + openMs);
  }
}

/** Deadlines of calls. Each can be paused while the server waits for the user. */
export class Deadlines {
  readonly now: () => number;
  readonly #running = new Set<Running>();
  /** One timer for all calls, cheaper than one for each. Fires at `#nextCheckAt`. */
  #timer: Timer | undefined;
  #nextCheckAt = Number.POSITIVE_INFINITY;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Calls `expire` once, after `ms` without the pauses. */
  start(ms: number, expire: () => void): Deadline {
    const running = new Running(this, ms, expire);
    this.#running.add(running);
    this.#scheduleCheck(running.dueAt);
    return running;
  }

  /** A pause has ended: the call may expire earlier than the pause allowed. */
  resume(running: Running): void {
    if (this.#running.has(running)) this.#scheduleCheck(running.dueAt);
  }

  forget(running: Running): void {
    this.#running.delete(running);
  }

  /** Sets the timer unless it fires earlier. A check that comes too early sets it again. */
  #scheduleCheck(at: number): void {
    if (at >= this.#nextCheckAt) return;
    clearTimeout(this.#timer);
    this.#nextCheckAt = at;
    this.#timer = setTimeout(() => this.#check(), Math.max(0, at - this.now()));
  }

  #check(): void {
    this.#nextCheckAt = Number.POSITIVE_INFINITY;
    const now = this.now();
    for (const running of [...this.#running]) {
      const { dueAt } = running;
      if (dueAt > now) this.#scheduleCheck(dueAt);
      else if (this.#running.delete(running)) running.expire();
    }
  }
}
