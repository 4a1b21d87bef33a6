import type { Message } from "../wire/message.ts";

/** What writes to stdout; Bun's FileSink has this shape. */
export interface Sink {
  write(bytes: Uint8Array): number | Promise<number>;
  flush(): number | Promise<number>;
}

/** Large messages leave in pieces of this size, so that the sink never holds a second copy of the whole. */
const sliceBytes = 256 * 1024;
/** Below this much unflushed, writers go on at once; above, they wait for the reader. */
const highWaterBytes = 64 * 1024;
/** More than this of the bridge's own words for a reader that does not read, and the bridge stops reading, too. */
const mostBytes = 16 * 1024 * 1024;
const lineFeed = new Uint8Array([0x0a]);
const done = Promise.resolve();

/** The one way out: whole lines in the order they were written, never faster than the reader reads. */
export class Output {
  readonly #sink: Sink;
  readonly #closed = Promise.withResolvers<void>();
  /** Lines that leave with the next flush. */
  #waiting: Uint8Array[] = [];
  /** Bytes written and not yet flushed, line feeds included. */
  #pendingBytes = 0;
  #flushing: Promise<void> | undefined;
  /** Set while a large message leaves in pieces: others wait behind it. */
  #exclusive: Promise<void> | undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Resolves when nobody reads any more (EPIPE). */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Writes one line, at once where it is `urgent`, else with what else comes in this turn; resolves when more may be
   * written. Never rejects: a reader that left is told by `closed`.
   */
  write({ bytes }: Message, urgent = false): Promise<void> {
    if (bytes.length > sliceBytes) return this.#writeLarge(bytes);
    const isIdle = this.#flushing === undefined && this.#exclusive === undefined;
    if (isIdle && urgent) return this.#writeNow(bytes);
    this.#waiting.push(bytes);
    this.#pendingBytes += bytes.length + 1;
    const flushed = this.#flush();
    return this.#pendingBytes > highWaterBytes ? flushed : done;
  }

  /** Undefined, or where more waits for the reader than may: resolves when it has left. */
  room(): Promise<void> | undefined {
    return this.#pendingBytes > mostBytes ? this.drain() : undefined;
  }

  /** Writes while nothing else is on its way: without a detour where the reader takes it at once. */
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

  /** Resolves when everything written has left. */
  async drain(): Promise<void> {
    while (this.#exclusive !== undefined) await this.#exclusive;
    while (this.#pendingBytes > 0) await this.#flush();
  }

  async #writeLarge(bytes: Uint8Array): Promise<void> {
    while (this.#exclusive !== undefined) await this.#exclusive;
    this.#exclusive = this.#writeSlices(bytes).finally(() => {
      this.#exclusive = undefined;
    });
    return this.#exclusive;
  }

  async #writeSlices(bytes: Uint8Array): Promise<void> {
    // What came before leaves before.
    await this.#flushing;
    for (let at = 0; at < bytes.length; at += sliceBytes)
      await this.#send(bytes.subarray(at, at + sliceBytes));
    await this.#send(lineFeed);
  }

  /** One flush at a time, behind a large message; what is written meanwhile leaves with the next. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#exclusive?.then(() => this.#flushWaiting()) ?? this.#flushAll();
    return this.#flushing;
  }

  async #flushAll(): Promise<void> {
    // Messages of one turn of the event loop leave in one system call.
    await new Promise(setImmediate);
    await this.#flushWaiting();
  }

  async #settle(flushed: Promise<number>, bytes: number): Promise<void> {
    await flushed.catch(() => this.#closed.resolve());
    this.#pendingBytes -= bytes;
    await this.#flushWaiting();
  }

  async #flushWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = joined(this.#waiting);
      this.#waiting = [];
      await this.#send(lines);
      this.#pendingBytes -= lines.length;
    }
    this.#flushing = undefined;
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

/** The lines, each with its line feed, in one piece: every piece costs the sink a call. */
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
