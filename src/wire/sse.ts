// Server-sent events (WHATWG HTML, 9.2.6), bytes in and bytes out: the data of an event is a whole message
// and need not become a string.
import { BridgeError } from "./errors.ts";
import { Pieces } from "./pieces.ts";

/** One event, or what a block without data said (`id`, `retry`). */
export interface SseEvent {
  /** The event's type, `message` where the stream names none. */
  readonly event: string;
  /** The data lines joined by LF; undefined where the block had none. */
  readonly data: Uint8Array | undefined;
  /** The last event id as set in this block. */
  readonly id?: string;
  /** Milliseconds to wait before reconnecting, as set in this block. */
  readonly retryMs?: number;
}

// A byte order mark is one at the beginning of the stream alone.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const lineFeed = new Uint8Array([0x0a]);

/** Push parser: every byte is looked at once, however the stream is cut. An event over `limit` bytes throws `too-large`. */
export class EventParser {
  readonly #limit: number;
  /** The unfinished line. */
  readonly #line = new Pieces();
  #bytes = 0;
  readonly #data = new Pieces();
  #hasData = false;
  #event = "";
  #id: string | undefined;
  #retryMs: number | undefined;
  #skipLineFeed = false;
  #isFirst = true;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of the event that is not complete yet. */
  get heldBytes(): number {
    return this.#bytes;
  }

  /** The events that `chunk` completes. The parser keeps parts of it: the caller must not reuse it. */
  feed(chunk: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    let from = 0;
    if (this.#skipLineFeed && chunk.length > 0) {
      if (chunk[0] === 0x0a) from = 1;
      this.#skipLineFeed = false;
    }
    let lf = chunk.indexOf(0x0a, from);
    let cr = chunk.indexOf(0x0d, from);
    while (lf >= 0 || cr >= 0) {
      const at = lf < 0 || (cr >= 0 && cr < lf) ? cr : lf;
      this.#addToLine(chunk.subarray(from, at));
      this.#endLine(events);
      from = at + 1;
      if (at === cr && from === chunk.length) this.#skipLineFeed = true;
      else if (at === cr && chunk[from] === 0x0a) from++;
      if (lf >= 0 && lf < from) lf = chunk.indexOf(0x0a, from);
      if (cr >= 0 && cr < from) cr = chunk.indexOf(0x0d, from);
    }
    if (from < chunk.length) this.#addToLine(chunk.subarray(from));
    return events;
  }

  #addToLine(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#limit)
      throw new BridgeError(
        "too-large",
        `the server sent an event of more than ${this.#limit} bytes`,
      );
    this.#line.add(piece);
  }

  #endLine(events: SseEvent[]): void {
    let line = this.#line.take();
    if (this.#isFirst && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf)
      line = line.subarray(3);
    this.#isFirst = false;
    if (line.length === 0) {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(0x3a);
    if (colon === 0) {
      this.#bytes -= line.length;
      return;
    }
    const name = decoder.decode(colon < 0 ? line : line.subarray(0, colon));
    const value = colon < 0 ? line.subarray(line.length) : line.subarray(colon + 1);
    this.#field(name, value[0] === 0x20 ? value.subarray(1) : value);
  }

  #field(name: string, value: Uint8Array): void {
    switch (name) {
      case "data":
        if (this.#hasData) this.#data.add(lineFeed);
        this.#data.add(value);
        this.#hasData = true;
        break;
      case "event":
        this.#event = decoder.decode(value);
        break;
      case "id":
        if (!value.includes(0)) this.#id = decoder.decode(value);
        break;
      case "retry": {
        const text = decoder.decode(value);
        if (/^\d+$/.test(text)) this.#retryMs = Number(text);
        break;
      }
    }
  }

  #dispatch(events: SseEvent[]): void {
    const data = this.#data.take();
    if (this.#hasData || this.#id !== undefined || this.#retryMs !== undefined) {
      events.push({
        event: this.#event || "message",
        data: this.#hasData ? data : undefined,
        ...(this.#id !== undefined && { id: this.#id }),
        ...(this.#retryMs !== undefined && { retryMs: this.#retryMs }),
      });
    }
    this.#hasData = false;
    this.#event = "";
    this.#id = undefined;
    this.#retryMs = undefined;
    this.#bytes = 0;
  }
}
