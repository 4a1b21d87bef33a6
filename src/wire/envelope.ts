// The envelope of a message: the places and texts of the members that JSON-RPC 2.0 defines.

/** The place of a value: byte offsets from the start of the text; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A member of the outermost object. */
export interface Member extends Span {
  /** The value's text where it is a scalar of at most 1,024 bytes. */
  readonly text: string | undefined;
}

/** Longest scalar whose text is kept. */
export const maxCapturedBytes = 1024;

/** The members that an envelope holds. */
export const envelopeNames = ["jsonrpc", "id", "method", "params", "result", "error"] as const;
export type EnvelopeName = (typeof envelopeNames)[number];

/** The members of a message's outermost object. A repeated member counts with its last value. */
export class Envelope {
  /** First byte of the outermost value, such as `{` or `[`; 0 until it has arrived. */
  first = 0;
  jsonrpc: Member | undefined = undefined;
  id: Member | undefined = undefined;
  method: Member | undefined = undefined;
  params: Member | undefined = undefined;
  result: Member | undefined = undefined;
  error: Member | undefined = undefined;
  /** `id` or `method` if the message has it twice. */
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

/** `key` if it names a member of the envelope, else undefined. */
export function envelopeName(key: string): EnvelopeName | undefined {
  return envelopeNames.find((name) => name === key);
}

const decoder = new TextDecoder();

/** Whether the ASCII text stands in the bytes at `from`. */
function stands(text: string, b: Uint8Array, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (b[from + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Integers of this many digits are exact in a JavaScript number. */
const exactDigits = 15;

/** The text of a short scalar, decoded from its bytes. */
export function textAt(b: Uint8Array, from: number, end: number): string {
  const c = b[from]!;
  // Fast paths for the values of nearly every message: they need no TextDecoder.
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
