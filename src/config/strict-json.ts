/** Why a text is not the JSON that a configuration may be. Its message never holds a value of the text. */
export class JsonProblem extends Error {
  /** Key path where it is known, else "line L, column C". */
  readonly place: string;

  constructor(message: string, place: string) {
    super(message);
    this.place = place;
  }
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const maxDepth = 32;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const space = /[ \t\r\n]*/y;
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
/** Keys that would reach an object's prototype, or that libraries skip in silence. */
const reserved = new Set(["__proto__", "constructor", "prototype"]);

/** The dotted name of a key, as errors show it. */
export function keyPath(keys: readonly (string | number)[]): string {
  return keys.reduce<string>(
    (path, key) =>
      typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`,
    "",
  );
}

/** The end of a key, or of what may be one; see `parsePlain`. */
const keyEnd = /"[ \t\r\n]*:/g;

/** How many keys stand in a value; NaN where the careful parser has to look. */
function countKeys(value: Json, depth: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depth > maxDepth) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += countKeys(item, depth + 1);
  else
    for (const key of Object.keys(value)) {
      count += reserved.has(key) ? Number.NaN : 1 + countKeys(value[key]!, depth + 1);
    }
  return count;
}

/**
 * The value of a text that needs no care, by the native parser, which takes a tenth of the time at a start.
 * Without a backslash every `"` begins or ends a string, so no key ends unseen: as many ends as keys, and none
 * stands twice. Undefined where that cannot be told.
 */
function parsePlain(text: string): Json | undefined {
  if (text.includes("\\")) return undefined;
  try {
    const value: Json = JSON.parse(text);
    return countKeys(value, 0) === (text.match(keyEnd)?.length ?? 0) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Parses JSON text, refusing a key that stands twice. JSON.parse would keep the last one in silence, and
 * its errors quote the text, which may be a secret. Throws JsonProblem.
 */
export function parseConfigJson(text: string): Json {
  return parsePlain(text) ?? parseCarefully(text);
}

function parseCarefully(text: string): Json {
  let at = text.startsWith("\ufeff") ? 1 : 0;

  const fail = (message: string, place = position(text, at)): never => {
    throw new JsonProblem(message, place);
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const eat = (mark: string): boolean => {
    take(space);
    if (text[at] !== mark) return false;
    at++;
    return true;
  };
  const value = (path: readonly (string | number)[]): Json => {
    take(space);
    if (path.length > maxDepth) fail("nested too deeply");
    switch (text[at]) {
      case "{":
        return object(path);
      case "[":
        return array(path);
      case '"':
        return JSON.parse(take(string) ?? fail("a string without its end or with a bad escape"));
    }
    for (const word of ["true", "false", "null"] as const) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      return word === "null" ? null : word === "true";
    }
    return Number(take(number) ?? fail(at >= text.length ? "ends early" : "expected a value"));
  };
  const object = (path: readonly (string | number)[]): Json => {
    const out: { [key: string]: Json } = {};
    at++;
    if (eat("}")) return out;
    do {
      take(space);
      if (text[at] !== '"') fail("expected a key in double quotes");
      const key: string = JSON.parse(take(string) ?? fail("a key without its end"));
      const here = [...path, key];
      if (Object.hasOwn(out, key)) fail("the key stands twice", keyPath(here));
      const isServer = path.length === 1 && path[0] === "servers";
      if (reserved.has(key) && (!isServer || key === "__proto__")) {
        fail("unknown key", keyPath(here));
      }
      if (!eat(":")) fail('expected ":" after a key');
      out[key] = value(here);
    } while (eat(","));
    if (!eat("}")) fail(at >= text.length ? "ends early" : 'expected "," or "}"');
    return out;
  };
  const array = (path: readonly (string | number)[]): Json => {
    const out: Json[] = [];
    at++;
    if (eat("]")) return out;
    do out.push(value([...path, out.length]));
    while (eat(","));
    if (!eat("]")) fail(at >= text.length ? "ends early" : 'expected "," or "]"');
    return out;
  };

  const whole = value([]);
  take(space);
  if (at < text.length) fail("text after the end");
  return whole;
}

function position(text: string, at: number): string {
  const before = text.slice(0, at).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
