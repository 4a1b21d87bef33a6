import type { Log, LogFields } from "./log.ts";

/** At most one line in this time. */
const windowMs = 1000;

/** Logs an event that may come in floods: the first one at once, the others once a second, with how many there were. */
export class CountedLog {
  readonly #log: Log;
  readonly #level: "warn" | "debug";
  readonly #event: string;
  /** Events since the last line, and the fields of the latest. */
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
    // The process must not live for this.
    this.#timer.unref();
  }
}
