import {
  Envelope,
  type EnvelopeName,
  envelopeName,
  type Member,
  maxCapturedBytes,
  nameAt,
  type Span,
  textAt,
} from "./envelope.ts";

/** Path from the outermost value: keys of objects, indexes of arrays. */
export type Path = readonly (string | number)[];

const decoder = new TextDecoder();
const encoder = new TextEncoder();

const comma = new Uint8Array([0x2c]);
/** Strings up to this size are read byte by byte. */
const shortBytes = 32;

/** Index of the first byte at or after `i` that is not white space. */
function skipSpace(b: Uint8Array, i: number): number {
  let at = i;
  while (b[at] === 0x20 || b[at] === 0x0a || b[at] === 0x0d || b[at] === 0x09) at++;
  return at;
}

/** Index of the first byte after the string that starts at `i`. */
function skipString(b: Uint8Array, i: number): number {
  let at = i + 1;
  // Most strings are short: reading byte by byte is faster than a native call.
  for (const limit = at + shortBytes; at < limit; at++) {
    const c = b[at];
    if (c === 0x22) return at + 1;
    if (c === 0x5c) at++;
  }
  // Longer string: indexOf finds the next quote faster.
  at = b.indexOf(0x22, at);
  while (isEscaped(b, at)) at = b.indexOf(0x22, at + 1);
  return at + 1;
}

/** Whether the byte at `at` is escaped: an odd number of backslashes precedes it. */
function isEscaped(b: Uint8Array, at: number): boolean {
  let from = at;
  while (b[from - 1] === 0x5c) from--;
  return (at - from) % 2 === 1;
}

/** Index of the first byte after the value that starts at `i`. */
function skipValue(b: Uint8Array, i: number): number {
  const c = b[i];
  if (c === 0x22) return skipString(b, i);
  if (c !== 0x7b && c !== 0x5b) {
    let at = i;
    while (at < b.length && !isDelimiter(b[at]!)) at++;
    return at;
  }
  let depth = 0;
  let at = i;
  do {
    const d = b[at];
    if (d === 0x22) {
      at = skipString(b, at);
      continue;
    }
    if (d === 0x7b || d === 0x5b) depth++;
    else if (d === 0x7d || d === 0x5d) depth--;
    at++;
  } while (depth > 0);
  return at;
}

const isDelimiter = (c: number) =>
  c === 0x2c || c === 0x7d || c === 0x5d || c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;

/** Calls `visit` for each member of the object at `start`, with the offsets of its key (quotes included) and value. */
function eachMember(
  b: Uint8Array,
  start: number,
  visit: (from: number, keyEnd: number, start: number, end: number) => void,
): void {
  let at = skipSpace(b, start + 1);
  while (b[at] === 0x22) {
    const keyEnd = skipString(b, at);
    const valueStart = skipSpace(b, skipSpace(b, keyEnd) + 1);
    const end = skipValue(b, valueStart);
    visit(at, keyEnd, valueStart, end);
    at = skipSpace(b, end);
    if (b[at] === 0x2c) at = skipSpace(b, at + 1);
  }
}

/** Whether the quoted key at `from` equals `key`. A key is decoded only if it has an escape or is not ASCII. */
function isKey(b: Uint8Array, from: number, end: number, key: string): boolean {
  const length = end - from - 2;
  for (let i = 0; i < length; i++) {
    const c = b[from + 1 + i]!;
    if (c === 0x5c || c >= 0x80) return JSON.parse(decoder.decode(b.subarray(from, end))) === key;
    if (c !== key.charCodeAt(i)) return false;
  }
  return length === key.length;
}

/** The envelope of the valid JSON `b`, equal to that of Scanner; without members if `b` is no object. */
export function envelopeOf(b: Uint8Array): Envelope {
  const envelope = new Envelope();
  const start = skipSpace(b, 0);
  envelope.first = b[start]!;
  if (envelope.first !== 0x7b) return envelope;
  eachMember(b, start, (from, keyEnd, valueStart, end) => {
    const name = nameAt(b, from, keyEnd) ?? escapedName(b, from, keyEnd);
    if (name !== undefined) envelope.note(name, memberAt(b, valueStart, end));
  });
  return envelope;
}

/** The name of a member of the envelope whose key holds an escape. */
function escapedName(b: Uint8Array, from: number, end: number): EnvelopeName | undefined {
  for (let at = from; at < end; at++)
    if (b[at] === 0x5c) return envelopeName(JSON.parse(decoder.decode(b.subarray(from, end))));
  return undefined;
}

function memberAt(b: Uint8Array, start: number, end: number): Member {
  const isScalar = b[start] !== 0x7b && b[start] !== 0x5b && end - start <= maxCapturedBytes;
  return { start, end, text: isScalar ? textAt(b, start, end) : undefined };
}

/** A member of an object or an element of an array. */
export interface Child extends Span {
  /** The decoded key; undefined in an array. */
  readonly key: string | undefined;
  /** Offset of the key (object) or of the value (array). */
  readonly from: number;
}

/** Yields the members or elements of the container at `span` in the valid JSON `b`; nothing for a scalar. */
export function* children(b: Uint8Array, span: Span): Generator<Child> {
  const inObject = b[span.start] === 0x7b;
  if (!inObject && b[span.start] !== 0x5b) return;
  let at = skipSpace(b, span.start + 1);
  while (at < span.end - 1) {
    const from = at;
    let key: string | undefined;
    if (inObject) {
      const end = skipString(b, at);
      key = JSON.parse(decoder.decode(b.subarray(at, end))) as string;
      at = skipSpace(b, skipSpace(b, end) + 1);
    }
    const end = skipValue(b, at);
    yield { key, from, start: at, end };
    at = skipSpace(b, end);
    if (b[at] === 0x2c) at = skipSpace(b, at + 1);
  }
}

/** The child under a key or index; for a repeated key the last one, as in JSON.parse. */
function child(b: Uint8Array, span: Span, step: string | number): Child | undefined {
  let found: Child | undefined;
  if (typeof step === "string") {
    if (b[span.start] !== 0x7b) return undefined;
    eachMember(b, span.start, (from, keyEnd, start, end) => {
      if (isKey(b, from, keyEnd, step)) found = { key: step, from, start, end };
    });
    return found;
  }
  let index = 0;
  for (const one of children(b, span)) if (one.key === undefined && index++ === step) return one;
  return undefined;
}

/** The span of the outermost value. */
export function outermost(b: Uint8Array): Span {
  const start = skipSpace(b, 0);
  return { start, end: skipValue(b, start) };
}

/** The span of the value at `path`, relative to the value at `from`, in the valid JSON `b`; undefined if the path does not exist. */
export function find(b: Uint8Array, path: Path, from = outermost(b)): Span | undefined {
  let span: Span | undefined = from;
  for (const step of path) {
    span = child(b, span, step);
    if (span === undefined) return undefined;
  }
  return span;
}

/** One change of a JSON text: the JSON text `raw` replaces the value at `path`; null deletes the value. */
export interface Edit {
  readonly path: Path;
  readonly raw: string | null;
}

/** Applies one edit to `b`. A missing last key is added; all other bytes stay. Throws RangeError if the parent is missing. */
export function edit(b: Uint8Array, { path, raw }: Edit): Uint8Array {
  const parent = find(b, path.slice(0, -1));
  const step = path.at(-1);
  if (parent === undefined || step === undefined)
    throw new RangeError("the path has no parent in the text");
  const old = child(b, parent, step);
  if (old !== undefined) {
    if (raw !== null) return splice(b, old.start, old.end, raw);
    return splice(b, ...withComma(b, old), "");
  }
  if (raw === null) return b;
  const isEmpty = children(b, parent).next().done === true;
  const key = typeof step === "string" ? `${JSON.stringify(step)}:` : "";
  return splice(b, parent.end - 1, parent.end - 1, `${isEmpty ? "" : ","}${key}${raw}`);
}

/** The range to delete for a child: includes the comma after it, or the comma before it for the last child. */
function withComma(b: Uint8Array, old: Child): [number, number] {
  const after = skipSpace(b, old.end);
  if (b[after] === 0x2c) return [old.from, skipSpace(b, after + 1)];
  let before = old.from - 1;
  while (before > 0 && (b[before] === 0x20 || b[before]! < 0x0e)) before--;
  return [b[before] === 0x2c ? before : old.from, old.end];
}

/**
 * Replaces (JSON text) or removes (null) elements of the array at `span` in `b`, by their index. One walk and one copy
 * for any number of changes.
 */
export function editElements(
  b: Uint8Array,
  span: Span,
  changes: ReadonlyMap<number, string | null>,
): Uint8Array {
  const pieces: Uint8Array[] = [];
  let index = 0;
  // White space between the previous comma and a kept element is kept.
  let from = span.start + 1;
  for (const { start, end } of children(b, span)) {
    const change = changes.get(index++);
    if (change !== null) {
      if (pieces.length > 0) pieces.push(comma);
      if (change === undefined) pieces.push(b.subarray(from, end));
      else pieces.push(b.subarray(from, start), encoder.encode(change));
    }
    from = skipSpace(b, end);
    if (b[from] === 0x2c) from++;
  }
  return Buffer.concat([b.subarray(0, span.start + 1), ...pieces, b.subarray(span.end - 1)]);
}

/** Replaces the bytes from `start` to `end` by a text. */
export function splice(b: Uint8Array, start: number, end: number, text: string): Uint8Array {
  const middle = encoder.encode(text);
  const out = new Uint8Array(b.length - (end - start) + middle.length);
  out.set(b.subarray(0, start));
  out.set(middle, start);
  out.set(b.subarray(end), start + middle.length);
  return out;
}
