import { fileVersionOf } from "./file-stamp.ts";
import { readJudged, writeAtomically } from "./files.ts";
import type { Log } from "./log.ts";

/** Version of the file's format: values that another version wrote are ignored. */
const formatVersion = 1;
/** Every start reads the file; upstream/catalog/store.ts keeps it far smaller. */
const maxBytes = 8 * 1024 * 1024;
/** Changes within this time are written together. */
const settleMs = 50;
const mostTries = 5;

interface Remembered {
  readonly format: number;
  /** SHA-256 of the server's URL. */
  readonly url: string;
  readonly facts: Record<string, unknown>;
}

/** Computes the new value from the remembered one. */
type Make = (old: unknown) => unknown;

interface Change {
  readonly key: string;
  readonly make: Make;
}

/**
 * Facts about one server that are kept between runs (cache/NAME.json): protocol, transport, redirected path, catalog;
 * never a secret. They belong to the server's URL. A file that cannot be read counts as empty; a failed write is only
 * logged.
 */
export class ServerCache {
  readonly #file: string | undefined;
  readonly #url: string;
  readonly #log: Log;
  #text: string | undefined;
  #facts: Record<string, unknown> | undefined;
  readonly #changes: Change[] = [];
  /** Whether the file existed for this URL. If it is missing later, somebody removed it on purpose. */
  #isThere = false;
  #timer: Timer | undefined;

  /** Without `file` nothing outlives the process. `text` is the file's content if the caller has just read it. */
  constructor(file: string | undefined, url: URL, log: Log, text?: string) {
    this.#file = file;
    this.#text = text;
    // A digest: the URL's query may hold a secret.
    this.#url = Bun.CryptoHasher.hash("sha256", url.href, "hex");
    this.#log = log;
  }

  /** The value of `key`. The caller checks its shape: the file may hold anything. */
  get(key: string): unknown {
    this.#facts ??= this.#readFirst();
    return this.#facts[key];
  }

  /** Stores a JSON value; undefined removes it. Written after a moment, or by `flush`. */
  set(key: string, value: unknown): void {
    this.change(key, () => value);
  }

  /** Read, modify, write: `make` is applied again to the value that other processes wrote meanwhile. */
  change(key: string, make: Make): void {
    this.#facts ??= this.#readFirst();
    this.#facts[key] = make(this.#facts[key]);
    if (this.#file === undefined) return;
    this.#changes.push({ key, make });
    this.#timer ??= setTimeout(() => this.flush(), settleMs);
    this.#timer.unref();
  }

  /** Merges the changes into the file, which other processes may have written meanwhile. A removed file is not made again. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#file === undefined || this.#changes.length === 0) return;
    const changes = this.#changes.splice(0);
    try {
      // Another process may write at the same time: then merge again.
      for (let tries = 0; tries < mostTries && !this.#write(changes, this.#file); tries++);
    } catch (error) {
      this.#log.debug("cannot remember", { error: error instanceof Error ? error.message : "" });
    }
  }

  /** Merges and writes; false if another process wrote the file meanwhile. */
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

  /** The facts in the file; undefined if there is none, or if it belongs to another URL. */
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
