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

/** Up to this size, JSON.parse reads a call faster than a walk in JavaScript that is not compiled yet. */
const smallBytes = 16 * 1024;
const usualMembers = ["jsonrpc", "id", "method", "params"];
const usualParameters = ["name", "arguments", "_meta", "task"];

/**
 * The `params` of a tools/call that every parser reads alike; undefined if only `isAmbiguous` can tell. Its text is the one
 * that JSON.stringify writes, so that no key is repeated, and it has the usual keys only.
 */
export function plainParameters({ bytes }: Message): Readonly<Record<string, unknown>> | undefined {
  if (bytes.length > smallBytes) return undefined;
  const text = decoder.decode(bytes);
  const message: Record<string, unknown> = JSON.parse(text);
  const { params } = message;
  if (typeof params !== "object" || params === null || JSON.stringify(message) !== text)
    return undefined;
  for (const key in message) if (!usualMembers.includes(key)) return undefined;
  for (const key in params) if (!usualParameters.includes(key)) return undefined;
  return params as Readonly<Record<string, unknown>>;
}

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

/**
 * Whether a server may read another member for one of `keys` than the bridge: it is repeated, or written in other letters.
 * The keys are folded (`foldText`).
 */
export function isDoubtful(bytes: Uint8Array, object: Span, keys: readonly string[]): boolean {
  const seen = new Set<string>();
  for (const { key } of children(bytes, object)) {
    if (key === undefined) continue;
    const folded = foldText(key);
    if (!keys.includes(folded)) continue;
    if (key !== folded || seen.has(folded)) return true;
    seen.add(folded);
  }
  return false;
}

/** The text of the string `key` of an object; undefined unless there is exactly one. */
export function onlyString(bytes: Uint8Array, object: Span, key: string): string | undefined {
  const member = onlyMember(bytes, object, key);
  if (member === undefined || bytes[member.start] !== 0x22) return undefined;
  return JSON.parse(decoder.decode(bytes.subarray(member.start, member.end))) as string;
}

/** Whether a server may understand another method than the bridge, or read another member for one of `keys`, which are folded. */
export function isAmbiguous({ head, bytes }: Message, ...keys: readonly string[]): boolean {
  const { method } = head;
  if (method === undefined) return false;
  const folded = foldText(method);
  if (folded !== method && folded.startsWith("tools/")) return true;
  // A server may read the method as a path, or as a name with another separator.
  if (method !== "tools/call" && callInOtherWords.test(folded)) return true;
  // The head holds one member "method"; a second one in other letters would pass unread.
  return isDoubtful(bytes, outermost(bytes), ["method", ...keys]);
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
