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

/** The members that are noted. */
export const envelopeNames = ["jsonrpc", "id", "method", "params", "result", "error"] as const;
export type EnvelopeName = (typeof envelopeNames)[number];

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
  return envelopeNames.find((name) => name === key);
}

const decoder = new TextDecoder();

/** Whether the bytes from `from` on are the ASCII text. */
function stands(text: string, b: Uint8Array, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (b[from + i] !== text.charCodeAt(i)) return false;
  return true;
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
