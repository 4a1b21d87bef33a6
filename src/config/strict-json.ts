export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Steps from the outermost value inwards: keys of objects, indexes of lists. */
export type KeyPath = readonly (string | number)[];

/** Levels of lists and objects; a parser that calls itself stays far from the end of its stack. */
export const maxDepth = 32;
const reserved = new Set(["__proto__", "constructor", "prototype"]);

/** Whether a key would reach an object's prototype, or is skipped in silence by libraries; a server may have such a name. */
export function isReserved(path: KeyPath): boolean {
  const key = String(path.at(-1));
  const isServer = path.length === 2 && path[0] === "servers";
  return reserved.has(key) && (!isServer || key === "__proto__");
}

/** How many keys stand in a value; NaN where one is reserved or values are nested too deeply. */
function countKeys(value: Json, path: KeyPath): number {
  if (typeof value !== "object" || value === null) return 0;
  if (path.length >= maxDepth) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += countKeys(item, [...path, 0]);
  else
    for (const key of Object.keys(value)) {
      const here = [...path, key];
      count += isReserved(here) ? Number.NaN : 1 + countKeys(value[key]!, here);
    }
  return count;
}

/** A string, and the colon behind it where it is a key. */
const stringOrKey = /"(?:[^"\\]|\\.)*"([ \t\r\n]*:)?/gs;

function countWrittenKeys(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(stringOrKey)) if (colon !== undefined) count++;
  return count;
}

/**
 * Parses JSON text; undefined where it is not JSON, is nested too deeply, or holds a reserved key or a key twice:
 * JSON.parse keeps the last one in silence, so the keys of the value are fewer than those of the text.
 */
export function parseStrict(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
    return countKeys(value, []) === countWrittenKeys(text) ? value : undefined;
  } catch {
    return undefined;
  }
}
