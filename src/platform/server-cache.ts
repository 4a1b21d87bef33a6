import { fileVersionOf } from "./file-stamp.ts";
import { readChecked, writeAtomically } from "./files.ts";
import type { Log } from "./log.ts";

/** Key of the transport that serves a client of the session protocol. */
export const transportKey = "transport";

/** Version of the file format; a file of another version is ignored. */
const formatVersion = 1;
/** Largest file that is read, because every start reads it; upstream/catalog/store.ts keeps the file far smaller. */
const maxBytes = 8 * 1024 * 1024;
/** Changes within this time are written together. */
const writeDelayMs = 50;
const maxAttempts = 5;

/** The content of the file. */
interface CacheFile {
  readonly format: number;
  /** SHA-256 of the server's URL. */
  readonly url: string;
  readonly facts: Record<string, unknown>;
}

/** Computes the new value from the stored one. */
type Make = (old: unknown) => unknown;

interface Change {
  readonly key: string;
  readonly make: Make;
}

/**
 * Facts about one server that are stored between runs (cache/NAME.json): protocol, transport, redirected path, catalog;
 * never a secret. Facts are valid for one URL of the server. An unreadable file counts as empty; a failed write is only
 * logged.
 */
export class ServerCache {
  readonly #file: string | undefined;
  readonly #url: string;
  readonly #log: Log;
  #text: string | undefined;
  #facts: Record<string, unknown> | undefined;
  readonly #changes: Change[] = [];
  /** Whether the file existed for this URL. If the file is missing later, the user removed it. */
  #hasExisted = false;
  #timer: Timer | undefined;

  /** Without `file` facts are kept in memory only. `text` is the file's content if the caller has just read the file. */
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

  /** Stores a JSON value; undefined removes the key. Written after `writeDelayMs`, or by `flush`. */
  set(key: string, value: unknown): void {
    this.change(key, () => value);
  }

  /** Read, modify, write: `make` is applied again to the value that other processes wrote meanwhile. */
  change(key: string, make: Make): void {
    this.#facts ??= this.#readFirst();
    this.#facts[key] = make(this.#facts[key]);
    if (this.#file === undefined) return;
    this.#changes.push({ key, make });
    this.#timer ??= setTimeout(() => this.flush(), writeDelayMs);
    this.#timer.unref();
  }

  /** Merges the changes into the file, which other processes may have written meanwhile. A file that the user removed is not created again. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#file === undefined || this.#changes.length === 0) return;
    const changes = this.#changes.splice(0);
    try {
      // If another process writes at the same time, merge again.
      for (let attempt = 0; attempt < maxAttempts && !this.#write(changes, this.#file); attempt++);
    } catch (error) {
      this.#log.debug("cannot write the cache", {
        error: error instanceof Error ? error.message : "",
      });
    }
  }

  /** Merges and writes; false if another process wrote the file meanwhile. */
  #write(changes: readonly Change[], file: string): boolean {
    const fileVersion = fileVersionOf(file);
    const found = this.#read();
    if (found === undefined && this.#hasExisted) return true;
    const facts = found ?? {};
    for (const { key, make } of changes) facts[key] = make(facts[key]);
    this.#facts = facts;
    const content: CacheFile = { format: formatVersion, url: this.#url, facts };
    const isWritten = writeAtomically(
      file,
      JSON.stringify(content),
      () => fileVersionOf(file) === fileVersion,
    );
    this.#hasExisted ||= isWritten;
    return isWritten;
  }

  #readFirst(): Record<string, unknown> {
    const found = this.#read(this.#text);
    this.#text = undefined;
    this.#hasExisted = found !== undefined;
    return found ?? {};
  }

  /** The facts in the file; undefined if the file is missing, or belongs to another URL or format version. */
  #read(known?: string): Record<string, unknown> | undefined {
    if (this.#file === undefined) return undefined;
    try {
      const text = known ?? readChecked(this.#file, maxBytes)?.text;
      if (text === undefined) return undefined;
      const { format, url, facts } = JSON.parse(text) as Partial<CacheFile>;
      if (format !== formatVersion || url !== this.#url) return undefined;
      return typeof facts === "object" && facts !== null ? facts : {};
    } catch (error) {
      this.#log.debug("cannot read the cache", {
        error: error instanceof Error ? error.message : "",
      });
      return {};
    }
  }
}

const logFileKey = "logFile";

/** Remembers where a server's run writes its log, so that `logs` finds it whichever client started the run. */
export function rememberLogFile(cache: ServerCache, path: string | undefined): void {
  if (path !== undefined && cache.get(logFileKey) !== path) cache.set(logFileKey, path);
}

/** Where the last run of a server with a log file wrote it; undefined if none did. */
export function rememberedLogFile(cache: ServerCache): string | undefined {
  const path = cache.get(logFileKey);
  return typeof path === "string" ? path : undefined;
}
