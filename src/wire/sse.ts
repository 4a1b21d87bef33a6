// Parser of server-sent events (WHATWG HTML, 9.2.6). Works on bytes: the data of an event is a whole JSON-RPC message,
// which the bridge forwards undecoded.

import { ByteChunks } from "./byte-chunks.ts";
import { BridgeError } from "./errors.ts";

/** One event, or the `id` and `retry` of a block without data. */
export interface SseEvent {
  /** The event's type; `message` if the event names no type. */
  readonly event: string;
  /** The data lines, joined by LF; undefined if the block has none. */
  readonly data: Uint8Array | undefined;
  /** The last event id as set in this block. */
  readonly id: string | undefined;
  /** Milliseconds to wait before reconnecting, as set in this block. */
  readonly retryMs: number | undefined;
}

// A byte order mark counts only at the start of the stream, where #read skips it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const lineFeed = new Uint8Array([0x0a]);
/** Longest line that is no field and is kept for the end of the stream. */
const strayBytes = 1024 * 1024;

/** Push parser: reads every byte once for any chunking. Throws `too-large` for an event over `limit` bytes. */
export class EventParser {
  readonly #limit: number;
  /** The incomplete last line. */
  readonly #line = new ByteChunks();
  #bytes = 0;
  /** The first data line; most events have only one. */
  #first: Uint8Array | undefined;
  readonly #others = new ByteChunks();
  #event = "";
  #id: string | undefined;
  #retryMs: number | undefined;
  #skipLineFeed = false;
  #isStart = true;
  /** The last line that begins as a JSON object or array does. */
  #stray: Uint8Array | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held of the incomplete event. */
  get heldBytes(): number {
    return this.#bytes;
  }

  /** Returns the events that `chunk` completes. Keeps parts of `chunk`: the caller must not write to it. */
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
      this.#endLine(chunk, from, at, events);
      from = at + 1;
      if (at === cr && from === chunk.length) this.#skipLineFeed = true;
      else if (at === cr && chunk[from] === 0x0a) from++;
      if (lf >= 0 && lf < from) lf = chunk.indexOf(0x0a, from);
      if (cr >= 0 && cr < from) cr = chunk.indexOf(0x0d, from);
    }
    if (from < chunk.length) {
      this.#count(chunk.length - from);
      this.#line.add(chunk.subarray(from));
    }
    return events;
  }

  /**
   * The end of the stream: what an event without its empty line holds, else the last line that is no field but may be
   * JSON. The standard drops both; the caller decides whether the data is whole.
   */
  finish(): Uint8Array | undefined {
    if (this.#line.length > 0) {
      const line = this.#line.take();
      this.#read(line, 0, line.length, []);
    }
    const events: SseEvent[] = [];
    this.#dispatch(events);
    return events[0]?.data ?? this.#stray;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limit)
      throw new BridgeError(
        "too-large",
        `the server sent an event of more than ${this.#limit} bytes`,
      );
  }

  /** Ends the line at `end` of this chunk; its start may be in an earlier chunk. */
  #endLine(chunk: Uint8Array, from: number, end: number, events: SseEvent[]): void {
    this.#count(end - from);
    if (this.#line.length === 0) this.#read(chunk, from, end, events);
    else {
      this.#line.add(chunk.subarray(from, end));
      const line = this.#line.take();
      this.#read(line, 0, line.length, events);
    }
  }

  #read(b: Uint8Array, start: number, end: number, events: SseEvent[]): void {
    let from = start;
    if (this.#isStart && b[from] === 0xef && b[from + 1] === 0xbb && b[from + 2] === 0xbf)
      from += 3;
    this.#isStart = false;
    if (from >= end) {
      this.#dispatch(events);
      return;
    }
    switch (b[from]) {
      case 0x5b:
      case 0x7b:
        if (end - from <= strayBytes) this.#stray = b.subarray(from, end);
        break;
      case 0x3a:
        this.#bytes -= end - from;
        break;
      case 0x64:
        this.#addData(b, valueAt("data", b, from, end), end);
        break;
      case 0x65: {
        const text = textValue("event", b, from, end);
        if (text !== undefined) this.#event = text;
        break;
      }
      case 0x69: {
        const text = textValue("id", b, from, end);
        if (text?.includes("\0") === false) this.#id = text;
        break;
      }
      case 0x72: {
        const text = textValue("retry", b, from, end);
        if (text !== undefined && /^\d+$/.test(text)) this.#retryMs = Number(text);
        break;
      }
    }
  }

  #addData(b: Uint8Array, from: number, end: number): void {
    if (from < 0) return;
    const value = b.subarray(from, end);
    if (this.#first === undefined) {
      this.#first = value;
      return;
    }
    this.#others.add(lineFeed);
    this.#others.add(value);
  }

  #dispatch(events: SseEvent[]): void {
    const first = this.#first;
    if (first !== undefined || this.#id !== undefined || this.#retryMs !== undefined) {
      const isOne = first === undefined || this.#others.length === 0;
      const data = isOne ? first : Buffer.concat([first, this.#others.take()]);
      const event = this.#event || "message";
      events.push({ event, data, id: this.#id, retryMs: this.#retryMs });
    }
    this.#first = undefined;
    this.#event = "";
    this.#id = undefined;
    this.#retryMs = undefined;
    this.#bytes = 0;
  }
}

/** Offset of the value of field `name` in the line; -1 if the line has another field. */
function valueAt(name: string, b: Uint8Array, from: number, end: number): number {
  const colon = from + name.length;
  if (colon > end || (colon < end && b[colon] !== 0x3a)) return -1;
  for (let i = 0; i < name.length; i++) if (b[from + i] !== name.charCodeAt(i)) return -1;
  if (colon === end) return end;
  return colon + 1 < end && b[colon + 1] === 0x20 ? colon + 2 : colon + 1;
}

/** The value of field `name`; undefined if the line has another field. */
function textValue(name: string, b: Uint8Array, from: number, end: number): string | undefined {
  const at = valueAt(name, b, from, end);
  if (at < 0) return undefined;
  // Nearly every event has this type: skip TextDecoder.
  if (end - at === defaultType.length && valueAt(defaultType, b, at, end) === end)
    return defaultType;
  return decoder.decode(b.subarray(at, end));
}

const defaultType = "message";
