import { BridgeError } from "../wire/errors.ts";
import { appendProblem, endLine, openToAppend } from "./append-file.ts";
import { fs } from "./fs.ts";
import type { Log } from "./log.ts";
import type { Redactor } from "./redact.ts";
import { runId } from "./run-id.ts";

const usualMaxBytes = 100 * 1024 * 1024;

interface RecordOptions {
  readonly path: string;
  readonly redactor: Redactor;
  readonly log: Log;
  /** Most bytes that this run adds to the file. */
  readonly maxBytes?: number;
}

/**
 * The file of `run --record`: lines of JSON, each with the run id and `at`, milliseconds since the start of the record.
 * Every line is written at once, so that a killed run leaves all of them. Several runs may write one file.
 */
export class RecordFile {
  readonly #options: RecordOptions;
  readonly #startedAt = performance.now();
  /** Undefined once the record has ended. */
  #fd: number | undefined;
  #bytes = 0;
  #exchanges = 0;

  /** Opens the file. Throws `configuration`. */
  constructor(options: RecordOptions) {
    this.#options = options;
    const { path } = options;
    try {
      this.#fd = openToAppend(path, { isRead: true }).fd;
      endLine(this.#fd);
    } catch (error) {
      throw new BridgeError(
        "configuration",
        `the record ${path} cannot be written (${appendProblem(error)})`,
        { hint: "name another file after --record", cause: error },
      );
    }
  }

  /** The number of the next HTTP exchange. Servers of a combined run share the file, and only the first line of an exchange names its server. */
  nextExchange(): number {
    return ++this.#exchanges;
  }

  /**
   * Writes one line. `texts` are texts of the client or the server by key: those that are JSON stand as JSON in the line.
   * `isCut`: the end of the texts is missing.
   */
  note(facts: object, texts: Readonly<Record<string, string>> = {}, isCut = false): void {
    if (this.#fd === undefined) return;
    const { redactor, maxBytes = usualMaxBytes } = this.#options;
    const at = Math.round((performance.now() - this.#startedAt) * 10) / 10;
    const shown = JSON.stringify({ at, run: runId(), ...facts }, (_, value) =>
      typeof value === "string" ? redactor.redact(value) : value,
    );
    let line = shown.slice(0, -1);
    for (const [key, text] of Object.entries(texts))
      line += `,"${key}":${redactor.json(text, isCut)}`;
    const bytes = Buffer.from(`${line}}\n`);
    this.#bytes += bytes.length;
    if (this.#bytes <= maxBytes) this.#write(bytes);
    else {
      this.#write(Buffer.from(`${JSON.stringify({ at, run: runId(), full: true })}\n`));
      this.#end(`${maxBytes} bytes are written`);
    }
  }

  #write(bytes: Uint8Array): void {
    try {
      if (fs().writeSync(this.#fd!, bytes) < bytes.length) this.#end("the disk is full");
    } catch (error) {
      this.#end(appendProblem(error));
    }
  }

  #end(reason: string): void {
    const { log, path } = this.#options;
    log.warn("the record ends", { file: path, reason });
    fs().closeSync(this.#fd!);
    this.#fd = undefined;
  }
}
