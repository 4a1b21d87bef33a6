// Which tool a message names. A server may read JSON more leniently than the bridge: some parsers take the first of
// repeated keys, some ignore the case of keys. A message that could name two tools names none here.
import type { Span } from "../../wire/envelope.ts";
import { BridgeError } from "../../wire/errors.ts";
import { foldText } from "../../wire/glob.ts";
import type { Message } from "../../wire/message.ts";
import { type Child, children, outermost } from "../../wire/spans.ts";

const decoder = new TextDecoder();
/** The method of a call with other separators: `tools//call`, `tools%2fcall`, `tools.call`. */
const callInOtherWords = /^[^a-z]*tools(?:%2f|[^a-z])*call[^a-z]*$/;

/** The member `key` of an object; undefined if it is missing, repeated, or may be mistaken for another one. */
export function onlyMember(bytes: Uint8Array, object: Span, key: string): Child | undefined {
  let found: Child | undefined;
  for (const member of children(bytes, object)) {
    if (member.key === undefined || foldText(member.key) !== foldText(key)) continue;
    if (member.key !== key || found !== undefined) return undefined;
    found = member;
  }
  return found;
}

/** Whether a server may read another member for `key` than the bridge: it is repeated, or written in other letters. */
export function isDoubtful(bytes: Uint8Array, object: Span, key: string): boolean {
  const alike = [...children(bytes, object)].filter(
    (member) => member.key !== undefined && foldText(member.key) === foldText(key),
  );
  return alike.length > 1 || alike.some((member) => member.key !== key);
}

/** The text of the string `key` of an object; undefined unless there is exactly one. */
export function onlyString(bytes: Uint8Array, object: Span, key: string): string | undefined {
  const member = onlyMember(bytes, object, key);
  if (member === undefined || bytes[member.start] !== 0x22) return undefined;
  return JSON.parse(decoder.decode(bytes.subarray(member.start, member.end))) as string;
}

/** Whether a server may understand another method than the bridge. */
export function isAmbiguous({ head, bytes }: Message): boolean {
  const { method } = head;
  if (method === undefined) return false;
  const folded = foldText(method);
  if (folded !== method && folded.startsWith("tools/")) return true;
  // A server may read the method as a path, or as a name with another separator.
  if (method !== "tools/call" && callInOtherWords.test(folded)) return true;
  // The head holds one member "method"; a second one in other letters would pass unread.
  return onlyMember(bytes, outermost(bytes), "method") === undefined;
}

/** The tool that a tools/call names, without doubt; undefined if its name is missing or ambiguous. */
export function calledTool({ bytes }: Message): string | undefined {
  const params = onlyMember(bytes, outermost(bytes), "params");
  return params && onlyString(bytes, params, "name");
}

/** The refusal of a message that server `name` may understand in another way; `reason` as the end of a sentence. */
export function ambiguousError(name: string, reason: string): BridgeError {
  return new BridgeError("refused", `"${name}" could take the message for another one`, {
    hint: `write each key once and in its own letters: ${reason}`,
  });
}
