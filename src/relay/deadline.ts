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

/** Deadlines of calls on a clock that stands still while the server waits for the client. */
export class Deadlines {
  readonly #now: () => number;
  /** Questions of the server that the client has not answered, by id. */
  readonly #questions = new Map<string, Timer>();
  readonly #armed = new Set<() => void>();
  #pausedAt = 0;
  #pausedMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls `expire` once, after `ms` of this clock. */
  start(ms: number, expire: () => void): Deadline {
    const startedAt = this.#clock();
    // A server that asks and asks would stop the clock for ever.
    const lastAt = this.#now() + Math.max(ms, maxExtendedMs) + maxPauseMs;
    let end = startedAt + ms;
    let timer: Timer | undefined;
    const arm = () => {
      clearTimeout(timer);
      const isPaused = this.#questions.size > 0;
      const left = isPaused ? lastAt - this.#now() : end - this.#clock();
      const isOver = () => this.#clock() >= end || this.#now() >= lastAt;
      const ring = () => {
        if (!isOver()) return arm();
        this.#armed.delete(arm);
        expire();
      };
      timer = setTimeout(ring, Math.max(0, left));
    };
    this.#armed.add(arm);
    arm();
    return {
      extend: () => {
        end = Math.max(end, Math.min(this.#clock() + ms, startedAt + maxExtendedMs));
      },
      callOff: () => {
        clearTimeout(timer);
        this.#armed.delete(arm);
      },
    };
  }

  /** The server asked the client something. */
  pause(question: string): void {
    if (this.#questions.has(question)) return;
    if (this.#questions.size === 0) this.#pausedAt = this.#now();
    const timer = setTimeout(() => this.resume(question), maxPauseMs);
    this.#questions.set(question, timer);
    for (const arm of this.#armed) arm();
  }

  /** The client answered, or the server no longer waits. */
  resume(question: string): void {
    clearTimeout(this.#questions.get(question));
    if (!this.#questions.delete(question) || this.#questions.size > 0) return;
    this.#pausedMs += this.#now() - this.#pausedAt;
    for (const arm of this.#armed) arm();
  }

  #clock(): number {
    return (this.#questions.size > 0 ? this.#pausedAt : this.#now()) - this.#pausedMs;
  }
}
