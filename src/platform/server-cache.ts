import { fileVersionOf } from "./file-stamp.ts";
import { readJudged, writeAtomically } from "./files.ts";
import type { Log } from "./log.ts";

/** Changes when the meaning of a remembered value changes: what an older version left is then not used. */
const formatVersion = 1;
/** Every start reads it: a catalog keeps far below (upstream/catalog-store). */
const maxBytes = 8 * 1024 * 1024;
/** What is learned within this time is written at once. */
const settleMs = 50;
const mostTries = 5;

interface Remembered {
  readonly format: number;
  /** SHA-256 of the server's URL. */
  readonly url: string;
  readonly facts: Record<string, unknown>;
}

/** Makes a value of the one that is remembered. */
type Make = (old: unknown) => unknown;

interface Change {
  readonly key: string;
  readonly make: Make;
}

/**
 * What is remembered of one server between runs (cache/NAME.json): era, transport, moved path, catalog; never
 * a secret. It belongs to the server's URL. A cache: a file that cannot be read is empty, one that cannot be
 * written is only logged.
 */
export class ServerCache {
  readonly #file: string | undefined;
  readonly #url: string;
  readonly #log: Log;
  #text: string | undefined;
  #facts: Record<string, unknown> | undefined;
  readonly #changes: Change[] = [];
  /** Whether the file was there, and this URL's: one that is gone by now was taken away on purpose. */
  #isThere = false;
  #timer: Timer | undefined;

  /** `file` undefined: nothing outlives the process. `text`: what the file says, where somebody has just read it. */
  constructor(file: string | undefined, url: URL, log: Log, text?: string) {
    this.#file = file;
    this.#text = text;
    // A digest: the URL's query may hold a secret.
    this.#url = Bun.CryptoHasher.hash("sha256", url.href, "hex");
    this.#log = log;
  }

  /** What is remembered under `key`; the caller judges its shape, for the file may say anything. */
  get(key: string): unknown {
    this.#facts ??= this.#readFirst();
    return this.#facts[key];
  }

  /** Remembers a JSON value; undefined forgets. Written soon, or by `flush`. */
  set(key: string, value: unknown): void {
    this.change(key, () => value);
  }

  /** The same for a value of which other processes know other parts: it is made again of what they wrote. */
  change(key: string, make: Make): void {
    this.#facts ??= this.#readFirst();
    this.#facts[key] = make(this.#facts[key]);
    if (this.#file === undefined) return;
    this.#changes.push({ key, make });
    this.#timer ??= setTimeout(() => this.flush(), settleMs);
    this.#timer.unref();
  }

  /** Writes what was learned, merged into what other processes wrote meanwhile; a file that was taken away stays away. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#file === undefined || this.#changes.length === 0) return;
    const changes = this.#changes.splice(0);
    try {
      // Another process may write in the middle of this: then it is done over.
      for (let tries = 0; tries < mostTries && !this.#write(changes, this.#file); tries++);
    } catch (error) {
      this.#log.debug("cannot remember", { error: error instanceof Error ? error.message : "" });
    }
  }

  /** Merges and writes; false where the file was another when it came to that. */
  #write(changes: readonly Change[], file: string): boolean {
    const fileVersion = fileVersionOf(file);
    const found = this.#read();
    if (found === undefined && this.#isThere) return true;
    const facts = found ?? {};
    for (const { key, make } of changes) facts[key] = make(facts[key]);
    this.#facts = facts;
    const remembered: Remembered = { format: formatVersion, url: this.#url, facts };
    const isWritten = writeAtomically(
      file,
      JSON.stringify(remembered),
      () => fileVersionOf(file) === fileVersion,
    );
    this.#isThere ||= isWritten;
    return isWritten;
  }

  #readFirst(): Record<string, unknown> {
    const found = this.#read(this.#text);
    this.#text = undefined;
    this.#isThere = found !== undefined;
    return found ?? {};
  }

  /** What the file says; undefined where there is none, or one of another URL. */
  #read(known?: string): Record<string, unknown> | undefined {
    if (this.#file === undefined) return undefined;
    try {
      const text = known ?? readJudged(this.#file, maxBytes)?.text;
      if (text === undefined) return undefined;
      const { format, url, facts } = JSON.parse(text) as Partial<Remembered>;
      if (format !== formatVersion || url !== this.#url) return undefined;
      return typeof facts === "object" && facts !== null ? facts : {};
    } catch (error) {
      this.#log.debug("nothing remembered", { error: error instanceof Error ? error.message : "" });
      return {};
    }
  }
}
