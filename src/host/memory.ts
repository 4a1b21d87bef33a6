import { readJudged, writeAtomically } from "./files.ts";
import type { Log } from "./log.ts";

/** Changes when the meaning of a remembered value changes: what an older version left is then not used. */
const formatVersion = 1;
const maxBytes = 64 * 1024 * 1024;
/** What is learned within this time is written at once. */
const settleMs = 50;

interface Remembered {
  readonly format: number;
  /** SHA-256 of the server's URL. */
  readonly url: string;
  readonly facts: Record<string, unknown>;
}

/**
 * What is remembered of one server between runs (cache/NAME.json): era, transport, moved path, catalog; never
 * a secret. It belongs to the server's URL. A cache: a file that cannot be read is empty, one that cannot be
 * written is only logged.
 */
export class Memory {
  readonly #file: string | undefined;
  readonly #url: string;
  readonly #log: Log;
  #facts: Record<string, unknown> | undefined;
  readonly #changed = new Map<string, unknown>();
  #timer: Timer | undefined;

  /** `file` undefined: nothing outlives the process. */
  constructor(file: string | undefined, url: URL, log: Log) {
    this.#file = file;
    // A digest: the URL's query may hold a secret.
    this.#url = new Bun.CryptoHasher("sha256").update(url.href).digest("hex");
    this.#log = log;
  }

  /** What is remembered under `key`; the caller judges its shape, for the file may say anything. */
  get(key: string): unknown {
    this.#facts ??= this.#read();
    return this.#facts[key];
  }

  /** Remembers a JSON value; undefined forgets. Written soon, or by `flush`. */
  set(key: string, value: unknown): void {
    this.#facts ??= this.#read();
    this.#facts[key] = value;
    this.#changed.set(key, value);
    if (this.#file === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), settleMs);
    this.#timer.unref();
  }

  /** Writes what was learned, merged into what other processes wrote meanwhile. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#file === undefined || this.#changed.size === 0) return;
    const facts = { ...this.#read(), ...Object.fromEntries(this.#changed) };
    this.#changed.clear();
    try {
      const remembered: Remembered = { format: formatVersion, url: this.#url, facts };
      writeAtomically(this.#file, JSON.stringify(remembered));
    } catch (error) {
      this.#log.debug("cannot remember", { error: error instanceof Error ? error.message : "" });
    }
  }

  #read(): Record<string, unknown> {
    if (this.#file === undefined) return {};
    try {
      const text = readJudged(this.#file, maxBytes)?.text;
      if (text === undefined) return {};
      const { format, url, facts } = JSON.parse(text) as Partial<Remembered>;
      const isOurs = format === formatVersion && url === this.#url;
      return isOurs && typeof facts === "object" && facts !== null ? facts : {};
    } catch (error) {
      this.#log.debug("nothing remembered", { error: error instanceof Error ? error.message : "" });
      return {};
    }
  }
}
