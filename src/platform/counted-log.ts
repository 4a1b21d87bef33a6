import type { BridgeError } from "../wire/errors.ts";
import type { Log, LogFields } from "./log.ts";

type Level = "error" | "warn" | "debug";

/** At most one line is written in this time. */
const windowMs = 1000;

/** Logs an event that may be frequent: the first at once, then one line a second with the number of events. */
export class CountedLog {
  readonly #log: Log;
  readonly #level: Level;
  readonly #event: string;
  /** Events since the last written line, and the fields of the latest event. */
  #count = 0;
  #fields: LogFields = {};
  #timer: Timer | undefined;

  constructor(log: Log, level: Level, event: string) {
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

/** Most texts that are told apart at a time: a server may put a number into each. */
const maxTexts = 100;

/** Counts failures as CountedLog does, each error message by itself. */
export class CountedFailures {
  readonly #log: Log;
  readonly #event: string;
  readonly #byText = new Map<string, CountedLog>();

  constructor(log: Log, event: string) {
    this.#log = log;
    this.#event = event;
  }

  note({ kind, message }: BridgeError): void {
    const text = `${kind} ${message}`;
    let counted = this.#byText.get(text);
    if (counted === undefined) {
      if (this.#byText.size === maxTexts) this.#byText.clear();
      const level = kind === "internal" ? "error" : "warn";
      counted = new CountedLog(this.#log, level, this.#event);
      this.#byText.set(text, counted);
    }
    counted.note({ kind, error: message });
  }
}
