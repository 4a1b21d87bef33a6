// Validates JSON (RFC 8259) and UTF-8 in one pass over chunks, in constant memory, and records the spans of the
// outermost members. JSON.parse alone is not enough: it rounds numbers above 2^53 and hides repeated keys.
//
// envelopeOf in spans.ts builds an equal envelope from a whole text that JSON.parse has accepted. Both are needed:
// - Only the scanner works on chunks: it reads a response while it arrives, finds the id of a line that is too long to
//   be held in memory, and reports why a text is not JSON.
// - Only JSON.parse with envelopeOf is fast before the JIT has compiled our code, as at every start. First message of a
//   process (compiled with bytecode, three runs each): 0.16 to 0.20 ms against 0.40 to 0.47 ms of the scanner for a call
//   of 239 bytes, 0.7 to 0.9 ms against 2.1 to 6.2 ms for a list of 15 KB.
// Once compiled by the JIT, the scanner is faster: 12.7 against 18.3 us for 2 KB, 1.8 against 5.2 ms for 750 KB.

import { Envelope, envelopeName, maxCapturedBytes, textAt } from "./envelope.ts";
import { isDigit, numberState, S, ScanError } from "./scan-states.ts";

const decoder = new TextDecoder();

/** 1 for each byte that has a meaning inside a string: quote, backslash, control characters, non-ASCII. */
const special = new Uint8Array(256).fill(1, 0, 0x20).fill(1, 0x80);
special[0x22] = 1;
special[0x5c] = 1;

const isSpace = (c: number) => c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
const isHex = (c: number) => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);

const isContainer = (text: string) => text.startsWith("{") || text.startsWith("[");

/** Push scanner: call `feed` for each chunk, then `finish`. Throws ScanError at the first byte that is not JSON. */
export class Scanner {
  readonly envelope = new Envelope();

  #state: number = S.value;
  #offset = 0;
  #depth = 0;
  /** Kind of each open container: 1 for an object, 0 for an array. */
  #stack = new Uint8Array(64);
  #inKey = false;
  #literal = "";
  #literalAt = 0;
  #hexLeft = 0;
  #utf8Left = 0;
  #utf8Min = 0x80;
  #utf8Max = 0xbf;
  /** Offset in the whole text where the captured key or value starts; -1 if nothing is captured. */
  #start = -1;
  #captured: Uint8Array[] = [];
  #capturedBytes = 0;
  #key = "";

  /** Scans the next piece of text. */
  feed(b: Uint8Array): void {
    const n = b.length;
    let i = 0;
    let state = this.#state;
    while (i < n) {
      const c = b[i]!;
      switch (state) {
        case S.string: {
          while (i < n && special[b[i]!] === 0) i++;
          if (i === n) break;
          const end = b[i]!;
          if (end === 0x22) {
            i++;
            if (this.#inKey) {
              if (this.#depth === 1) this.#endKey(b, i);
              state = S.colon;
            } else state = this.#afterValue(b, i);
          } else if (end === 0x5c) {
            i++;
            state = S.escape;
          } else if (end < 0x20) {
            throw new ScanError("control character in a string");
          } else {
            this.#beginUtf8(end);
            i++;
            state = S.utf8;
          }
          break;
        }
        case S.utf8:
          if (c < this.#utf8Min || c > this.#utf8Max) throw new ScanError("invalid UTF-8");
          this.#utf8Min = 0x80;
          this.#utf8Max = 0xbf;
          i++;
          if (--this.#utf8Left === 0) state = S.string;
          break;
        case S.escape:
          if (c === 0x75) {
            this.#hexLeft = 4;
            state = S.hex;
          } else if ('"\\/bfnrt'.includes(String.fromCharCode(c))) state = S.string;
          else throw new ScanError("unknown escape in a string");
          i++;
          break;
        case S.hex:
          if (!isHex(c)) throw new ScanError("bad \\u escape in a string");
          i++;
          if (--this.#hexLeft === 0) state = S.string;
          break;
        case S.after: {
          if (isSpace(c)) {
            i++;
            break;
          }
          const inObject = this.#stack[this.#depth - 1] === 1;
          if (c === 0x2c) state = inObject ? S.key : S.value;
          else if (c === (inObject ? 0x7d : 0x5d)) state = this.#close(b, i + 1);
          else throw new ScanError(`expected "," or "${inObject ? "}" : "]"}"`);
          i++;
          break;
        }
        case S.firstValue:
        case S.value:
          if (isSpace(c)) {
            i++;
            break;
          }
          if (c === 0x5d && state === S.firstValue) state = this.#close(b, i + 1);
          else state = this.#beginValue(c, i);
          i++;
          break;
        case S.firstKey:
        case S.key:
          if (isSpace(c)) {
            i++;
            break;
          }
          if (c === 0x7d && state === S.firstKey) state = this.#close(b, i + 1);
          else if (c !== 0x22) throw new ScanError("expected a key in double quotes");
          else {
            this.#inKey = true;
            if (this.#depth === 1) this.#start = this.#offset + i;
            state = S.string;
          }
          i++;
          break;
        case S.colon:
          if (c === 0x3a) {
            this.#inKey = false;
            state = S.value;
          } else if (!isSpace(c)) throw new ScanError('expected ":"');
          i++;
          break;
        case S.literal:
          if (c !== this.#literal.charCodeAt(this.#literalAt)) throw new ScanError("unknown word");
          i++;
          if (++this.#literalAt === this.#literal.length) state = this.#afterValue(b, i);
          break;
        case S.done:
          if (!isSpace(c)) throw new ScanError("text after the end");
          i++;
          break;
        default: {
          const next = numberState(state, c);
          if (next === S.done) state = this.#afterValue(b, i);
          else {
            state = next;
            i++;
          }
        }
      }
    }
    if (this.#start >= 0) this.#capture(b, n);
    this.#offset += n;
    this.#state = state;
  }

  /** Ends the text. Throws ScanError if it is incomplete. */
  finish(): void {
    if (this.#depth === 0 && this.#state >= S.zero && this.#state < S.done) {
      // A number outside of any container ends only with the text.
      if (numberState(this.#state, 0x20) === S.done) this.#state = S.done;
    }
    if (this.#state !== S.done) throw new ScanError("the text ends early");
  }

  #beginUtf8(c: number): void {
    if (c < 0xc2 || c > 0xf4) throw new ScanError("invalid UTF-8");
    this.#utf8Left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    this.#utf8Min = c === 0xe0 ? 0xa0 : c === 0xf0 ? 0x90 : 0x80;
    this.#utf8Max = c === 0xed ? 0x9f : c === 0xf4 ? 0x8f : 0xbf;
  }

  #beginValue(c: number, i: number): number {
    if (this.#depth === 0) this.envelope.first = c;
    if (this.#depth === 1 && this.#stack[0] === 1) this.#start = this.#offset + i;
    switch (c) {
      case 0x22:
        return S.string;
      case 0x7b:
        return this.#open(1);
      case 0x5b:
        return this.#open(0);
      case 0x2d:
        return S.minus;
      case 0x30:
        return S.zero;
      case 0x74:
        return this.#beginLiteral("true");
      case 0x66:
        return this.#beginLiteral("false");
      case 0x6e:
        return this.#beginLiteral("null");
    }
    if (isDigit(c)) return S.digits;
    throw new ScanError("expected a value");
  }

  #beginLiteral(literal: string): number {
    this.#literal = literal;
    this.#literalAt = 1;
    return S.literal;
  }

  #open(kind: 0 | 1): number {
    if (this.#depth === this.#stack.length) {
      const wider = new Uint8Array(this.#stack.length * 2);
      wider.set(this.#stack);
      this.#stack = wider;
    }
    this.#stack[this.#depth++] = kind;
    return kind === 1 ? S.firstKey : S.firstValue;
  }

  #close(b: Uint8Array, end: number): number {
    this.#depth--;
    return this.#afterValue(b, end);
  }

  #afterValue(b: Uint8Array, end: number): number {
    if (this.#depth === 0) return S.done;
    if (this.#depth === 1) this.#endValue(b, end);
    return S.after;
  }

  #capture(b: Uint8Array, end: number): void {
    const from = Math.max(0, this.#start - this.#offset);
    this.#capturedBytes += end - from;
    if (this.#capturedBytes <= maxCapturedBytes) this.#captured.push(b.slice(from, end));
  }

  /** Ends the capture and returns its text; undefined if the text is too long. */
  #takeCaptured(b: Uint8Array, end: number): string | undefined {
    const from = this.#start - this.#offset;
    if (from >= 0) return end - from <= maxCapturedBytes ? textAt(b, from, end) : undefined;
    this.#capture(b, end);
    const text =
      this.#capturedBytes <= maxCapturedBytes
        ? decoder.decode(Buffer.concat(this.#captured))
        : undefined;
    this.#captured = [];
    this.#capturedBytes = 0;
    return text;
  }

  #endKey(b: Uint8Array, end: number): void {
    const text = this.#takeCaptured(b, end);
    // A key over the limit cannot be an envelope member.
    this.#key =
      text === undefined ? "" : text.includes("\\") ? JSON.parse(text) : text.slice(1, -1);
    this.#start = -1;
  }

  #endValue(b: Uint8Array, end: number): void {
    if (this.#start < 0) return;
    const start = this.#start;
    const taken = this.#takeCaptured(b, end);
    const text = taken !== undefined && isContainer(taken) ? undefined : taken;
    const name = envelopeName(this.#key);
    if (name !== undefined) this.envelope.note(name, { start, end: this.#offset + end, text });
    this.#start = -1;
  }
}
