// What is read of every message: the members that JSON-RPC 2.0 gives it, where they stand and what they say.

/** Where a value stands: offsets from the first byte of the text, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A member of the outermost object. */
export interface Member extends Span {
  /** The value's text where it is a scalar of at most 1,024 bytes. */
  readonly text: string | undefined;
}

/** A longer scalar has no text of its own. */
export const maxCapturedBytes = 1024;

const names = ["jsonrpc", "id", "method", "params", "result", "error"] as const;
export type EnvelopeName = (typeof names)[number];

/** The outermost object of a message; of a repeated member, the last. */
export class Envelope {
  /** First byte of the outermost value: `{`, `[`, ... ; 0 before it came. */
  first = 0;
  jsonrpc: Member | undefined = undefined;
  id: Member | undefined = undefined;
  method: Member | undefined = undefined;
  params: Member | undefined = undefined;
  result: Member | undefined = undefined;
  error: Member | undefined = undefined;
  /** `id` or `method`, where that stands twice. */
  repeated: EnvelopeName | undefined = undefined;

  note(name: EnvelopeName, member: Member): void {
    if (
      this[name] !== undefined &&
      (name === "id" || (name === "method" && this.repeated !== "id"))
    )
      this.repeated = name;
    this[name] = member;
  }
}

/** `key` where it is the name of a member that is noted. */
export function envelopeName(key: string): EnvelopeName | undefined {
  return names.find((name) => name === key);
}

const decoder = new TextDecoder();

/** Whether the bytes from `from` on are the ASCII text. */
function stands(text: string, b: Uint8Array, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (b[from + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** `text` where it stands at `from`: what is compared byte by byte need not be decoded. */
const only = <T extends string>(text: T, b: Uint8Array, from: number): T | undefined =>
  stands(text, b, from) ? text : undefined;

/** The name that the bytes of a key without escapes say. */
export function nameAt(b: Uint8Array, from: number, end: number): EnvelopeName | undefined {
  switch (end - from) {
    case 2:
      return only("id", b, from);
    case 5:
      return only("error", b, from);
    case 6:
      if (b[from] === 0x6d) return only("method", b, from);
      return b[from] === 0x70 ? only("params", b, from) : only("result", b, from);
    case 7:
      return only("jsonrpc", b, from);
    default:
      return undefined;
  }
}

/** Digits that a number holds exactly. */
const exactDigits = 15;

/** Text of a short scalar. */
export function textAt(b: Uint8Array, from: number, end: number): string {
  const c = b[from]!;
  // What nearly every message says needs no decoder.
  if (c === 0x22) {
    if (end - from === 5 && stands('"2.0"', b, from)) return '"2.0"';
    if (end - from === 12 && stands('"tools/call"', b, from)) return '"tools/call"';
  } else if (c >= 0x31 && c <= 0x39 && end - from <= exactDigits) {
    let value = 0;
    let at = from;
    for (; at < end; at++) {
      const digit = b[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === end) return String(value);
  }
  return decoder.decode(b.subarray(from, end));
}
