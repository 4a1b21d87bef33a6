// The envelope of a message: offsets and texts of the members that JSON-RPC 2.0 defines.

/** Where a value is: byte offsets from the start of the text; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A member of the outermost object. */
export interface Member extends Span {
  /** JSON text of the value if it is a scalar of at most 1,024 bytes, else undefined. */
  readonly text: string | undefined;
}

/** Longest scalar whose text is kept, in bytes. */
export const maxCapturedBytes = 1024;

/** Names of the members that an envelope records. */
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
  /** `id` or `method` if the message repeats that member. */
  repeated: EnvelopeName | undefined = undefined;

  /** Records a member, and whether `id` or `method` is repeated. */
  note(name: EnvelopeName, member: Member): void {
    if (
      this[name] !== undefined &&
      (name === "id" || (name === "method" && this.repeated !== "id"))
    )
      this.repeated = name;
    this[name] = member;
  }
}

/** The name of the member whose quoted key stands at `from` to `end`; undefined for a member that an envelope does not record. The length of the key leaves at most three names. */
export function nameAt(b: Uint8Array, from: number, end: number): EnvelopeName | undefined {
  const at = from + 1;
  switch (end - from - 2) {
    case 2:
      return hasTextAt("id", b, at) ? "id" : undefined;
    case 5:
      return hasTextAt("error", b, at) ? "error" : undefined;
    case 6:
      if (hasTextAt("method", b, at)) return "method";
      if (hasTextAt("params", b, at)) return "params";
      return hasTextAt("result", b, at) ? "result" : undefined;
    case 7:
      return hasTextAt("jsonrpc", b, at) ? "jsonrpc" : undefined;
    default:
      return undefined;
  }
}

/** `key` if it names a member of the envelope, else undefined. */
export function envelopeName(key: string): EnvelopeName | undefined {
  return envelopeNames.find((name) => name === key);
}

const decoder = new TextDecoder();

/** Whether the bytes from `from` begin with an ASCII text. */
function hasTextAt(text: string, b: Uint8Array, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (b[from + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Texts that most messages hold: comparing bytes takes a tenth of the time of a TextDecoder. */
const usualTexts = [
  '"2.0"',
  '"tools/call"',
  '"notifications/progress"',
  '"notifications/message"',
] as const;

/** Integers of up to 15 digits are exact in a JavaScript number. */
const exactDigits = 15;

/** The text of a short scalar, decoded from its bytes. */
export function textAt(b: Uint8Array, from: number, end: number): string {
  const c = b[from]!;
  if (c === 0x22) {
    for (const text of usualTexts)
      if (end - from === text.length && hasTextAt(text, b, from)) return text;
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
