type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Path from the outermost value: keys of objects, indexes of lists. */
export type KeyPath = readonly (string | number)[];

/** Most levels of nested lists and objects, so that recursive parsers cannot exhaust their stack. */
export const maxDepth = 32;
const reserved = new Set(["__proto__", "constructor", "prototype"]);

/** Whether the last key of `path` would change an object's prototype or be skipped by libraries. Servers may be named `constructor` and `prototype`. */
export function isReserved(path: KeyPath): boolean {
  const key = String(path.at(-1));
  const isServer = path.length === 2 && path[0] === "servers";
  return reserved.has(key) && (!isServer || key === "__proto__");
}

/** Counts the keys in a value; NaN if a key is reserved or the value is nested too deeply. */
function countKeys(value: JsonValue, path: KeyPath): number {
  if (typeof value !== "object" || value === null) return 0;
  if (path.length >= maxDepth) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += countKeys(item, [...path, 0]);
  else
    for (const key of Object.keys(value)) {
      const keyPath = [...path, key];
      count += isReserved(keyPath) ? Number.NaN : 1 + countKeys(value[key]!, keyPath);
    }
  return count;
}

/** Matches a string; the group matches the colon if the string is a key. */
const stringOrKey = /"(?:[^"\\]|\\.)*"([ \t\r\n]*:)?/gs;

function countWrittenKeys(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(stringOrKey)) if (colon !== undefined) count++;
  return count;
}

/**
 * Parses JSON text. Undefined if the text is not JSON, is nested too deeply, or has a reserved or repeated key. JSON.parse
 * keeps only the last of repeated keys, so the parsed value then has fewer keys than the text.
 */
export function parseStrict(text: string): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
    return countKeys(value, []) === countWrittenKeys(text) ? value : undefined;
  } catch {
    return undefined;
  }
}
