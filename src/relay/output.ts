import type { Message } from "../wire/message.ts";

/** Writes to stdout; Bun's FileSink has this shape. */
export interface Sink {
  write(bytes: Uint8Array): number | Promise<number>;
  flush(): number | Promise<number>;
}

/** Large messages are written in pieces of this size, so that the sink never holds a second copy of the whole. */
const sliceBytes = 256 * 1024;
/** With more unflushed bytes than this, writers wait for the reader. */
const highWaterBytes = 64 * 1024;
/** With more unflushed bytes than this, the bridge stops reading stdin. */
const mostBytes = 16 * 1024 * 1024;
const lineFeed = new Uint8Array([0x0a]);
const done = Promise.resolve();

/** The only writer to stdout: whole lines in the order they were written, with back pressure from the reader. */
export class Output {
  readonly #sink: Sink;
  readonly #closed = Promise.withResolvers<void>();
  /** Lines that wait for the current flush. */
  #waiting: Uint8Array[] = [];
  /** Bytes written and not yet flushed, line feeds included. */
  #pendingBytes = 0;
  #flushing: Promise<void> | undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Resolves when the reader has closed its end (EPIPE). */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Writes one line: at once if `urgent`, else together with the other lines of this turn of the event loop. Resolves
   * when more may be written. Never rejects: `closed` tells that the reader is gone.
   */
  write({ bytes }: Message, urgent = false): Promise<void> {
    if (urgent && this.#flushing === undefined && bytes.length <= sliceBytes)
      return this.#writeNow(bytes);
    this.#waiting.push(bytes);
    this.#pendingBytes += bytes.length + 1;
    this.#flushing ??= this.#flushAll();
    return this.#pendingBytes > highWaterBytes ? this.#flushing : done;
  }

  /** Undefined if there is room; else a promise that resolves when everything is flushed. */
  room(): Promise<void> | undefined {
    return this.#pendingBytes > mostBytes ? this.drain() : undefined;
  }

  /** Writes while no flush is under way; synchronous if the reader takes the line at once. */
  #writeNow(bytes: Uint8Array): Promise<void> {
    try {
      this.#put(joined([bytes]));
      const flushed = this.#sink.flush();
      if (!(flushed instanceof Promise)) return done;
      this.#pendingBytes += bytes.length + 1;
      this.#flushing = this.#settle(flushed, bytes.length + 1);
      return this.#pendingBytes > highWaterBytes ? this.#flushing : done;
    } catch {
      this.#closed.resolve();
      return done;
    }
  }

  /** Resolves when everything written is flushed. */
  async drain(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  async #flushAll(): Promise<void> {
    // Lines of one turn of the event loop share one system call.
    await new Promise(setImmediate);
    await this.#flushWaiting();
  }

  async #settle(flushed: Promise<number>, bytes: number): Promise<void> {
    await flushed.catch(() => this.#closed.resolve());
    this.#pendingBytes -= bytes;
    await this.#flushWaiting();
  }

  /** Flushes the waiting lines in their order: each large line in pieces, the lines between them together. */
  async #flushWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const large = this.#waiting.findIndex(({ length }) => length > sliceBytes);
      const lines = this.#waiting.splice(0, large < 0 ? this.#waiting.length : Math.max(1, large));
      await (large === 0 ? this.#sendSlices(lines[0]!) : this.#send(joined(lines)));
      for (const { length } of lines) this.#pendingBytes -= length + 1;
    }
    this.#flushing = undefined;
  }

  async #sendSlices(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += sliceBytes)
      await this.#send(bytes.subarray(at, at + sliceBytes));
    await this.#send(lineFeed);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      this.#put(bytes);
      await this.#sink.flush();
    } catch {
      this.#closed.resolve();
    }
  }

  #put(bytes: Uint8Array): void {
    const written = this.#sink.write(bytes);
    if (written instanceof Promise) written.catch(() => this.#closed.resolve());
  }
}

/** Joins the lines, each with its line feed, so that the sink is called once. */
function joined(lines: readonly Uint8Array[]): Uint8Array {
  let length = lines.length;
  for (const line of lines) length += line.length;
  const whole = Buffer.allocUnsafe(length);
  let at = 0;
  for (const line of lines) {
    whole.set(line, at);
    at += line.length;
    whole[at++] = 0x0a;
  }
  return whole;
}
