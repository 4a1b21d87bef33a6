import type { Log, LogFields } from "./log.ts";

/** At most one line is written in this time. */
const windowMs = 1000;

/** Logs an event that may be frequent: the first at once, then one line a second with the number of events. */
export class CountedLog {
  readonly #log: Log;
  readonly #level: "warn" | "debug";
  readonly #event: string;
  /** Events since the last written line, and the fields of the latest event. */
  #count = 0;
  #fields: LogFields = {};
  #timer: Timer | undefined;

  constructor(log: Log, level: "warn" | "debug", event: string) {
    this.#log = log;
    this.#level = level;
    this.#event = event;
  }

  note(fields: LogFields): void {
    this.#count++;
    this.#fields = fields;
    if (this.#timer === undefined) this.#write();
  }

  #write(): void {
    this.#timer = undefined;
    if (this.#count === 0) return;
    const count = this.#count === 1 ? {} : { count: this.#count };
    this.#count = 0;
    this.#log[this.#level](this.#event, { ...this.#fields, ...count });
    this.#timer = setTimeout(() => this.#write(), windowMs);
    // The timer must not keep the process alive.
    this.#timer.unref();
  }
}
