// One text for all JSON texts of equal meaning: without white space, keys sorted, strings escaped in one way. Repeated keys
// are all kept in their order, because some parsers take the first and some the last; numbers keep their digits.
import type { Span } from "./envelope.ts";
import { children } from "./spans.ts";

/** Most levels of nesting, so that a hostile text cannot exhaust the stack. */
const maxDepth = 100;

const decoder = new TextDecoder();

/** The canonical text of the object at `span` in the valid JSON `bytes`, with the members that `isKept` chooses; undefined if it is nested too deeply. */
export function canonicalMembers(
  bytes: Uint8Array,
  span: Span,
  isKept: (key: string) => boolean,
): string | undefined {
  return canonicalObject(bytes, span, 0, isKept);
}

function canonicalObject(
  bytes: Uint8Array,
  span: Span,
  depth: number,
  isKept: (key: string) => boolean = () => true,
): string | undefined {
  const members: [key: string, text: string][] = [];
  for (const child of children(bytes, span)) {
    if (child.key === undefined || !isKept(child.key)) continue;
    const text = canonicalValue(bytes, child, depth + 1);
    if (text === undefined) return undefined;
    members.push([child.key, text]);
  }
  // The sort is stable: repeated keys stay in their order.
  members.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
}

function canonicalValue(bytes: Uint8Array, span: Span, depth: number): string | undefined {
  if (depth > maxDepth) return undefined;
  const first = bytes[span.start];
  if (first === 0x7b) return canonicalObject(bytes, span, depth);
  if (first === 0x5b) {
    const items = [...children(bytes, span)].map((item) => canonicalValue(bytes, item, depth + 1));
    return items.includes(undefined) ? undefined : `[${items.join(",")}]`;
  }
  const text = decoder.decode(bytes.subarray(span.start, span.end));
  return first === 0x22 ? JSON.stringify(JSON.parse(text)) : text;
}
