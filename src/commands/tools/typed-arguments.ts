import { BridgeError } from "../../wire/errors.ts";
import { nearest } from "../../wire/nearest-name.ts";
import { cleanText } from "../../wire/text.ts";
import {
  isObject,
  misfit,
  propertiesOf,
  requiredOf,
  resolved,
  type Schema,
  typeText,
} from "./schema.ts";

/** The texts that were given for a parameter or for its members, before they are typed. */
interface Given {
  readonly texts: string[];
  /** Whether a text was given for an element: `key[]=text`. */
  isList: boolean;
  readonly members: Map<string, Given>;
}

const nothing = (): Given => ({ texts: [], isList: false, members: new Map() });

function usage(message: string, hint?: string): BridgeError {
  return new BridgeError("usage", message, hint === undefined ? {} : { hint });
}

const shown = (key: string) => `"${cleanText(key, 100)}"`;
const byJson = `give them as JSON: --args '{"key": "value"}'`;

/** Adds one word `key=value`; brackets after the key lead to members and elements, as `gh api` takes them: `a[b]=v`, `a[]=v`. */
function add(all: Given, word: string, isName: (key: string) => boolean): void {
  const equals = word.indexOf("=");
  if (equals < 1)
    throw usage(
      "an argument of the tool is not written as key=value",
      `write key=value, or ${byJson}`,
    );
  const whole = word.slice(0, equals);
  const [, key = "", brackets = ""] = /^([^[\]]+)((?:\[[^[\]]*\])+)$/.exec(whole) ?? [];
  // A parameter may be called "a[b]" itself.
  const path = key === "" || isName(whole) ? [whole] : [key, ...brackets.slice(1, -1).split("][")];
  const isList = path.length > 1 && path.at(-1) === "";
  const steps = isList ? path.slice(0, -1) : path;
  if (steps.includes(""))
    throw usage(`${shown(whole)}: only the last brackets may be empty`, byJson);
  let target = all;
  for (const step of steps) {
    const next = target.members.get(step) ?? nothing();
    target.members.set(step, next);
    target = next;
  }
  target.texts.push(word.slice(equals + 1));
  target.isList ||= isList;
}

/** Whether a text is JSON other than a string: quotes around a value belong to it. */
function isJson(text: string): boolean {
  if (text.trimStart().startsWith('"')) return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value !== "number" || Number.isFinite(value);
  } catch {
    return false;
  }
}

/** A text as JSON text that fits the schema: as JSON, else as a string, else as a list of itself. Throws `usage`. */
function typed(text: string, schema: unknown, root: Schema, key: string): string {
  const readings = [...(isJson(text) ? [text] : []), JSON.stringify(text)];
  const fits = (reading: string) => misfit(JSON.parse(reading), schema, root, key) === undefined;
  const lists = readings.map((reading) => `[${reading}]`);
  const found = [...readings, ...lists].find(fits);
  // A line break between two JSON tokens would end the JSON-RPC message.
  if (found !== undefined) return found.replace(/[\r\n]/g, " ");
  // Of an object or a list, the part that does not fit is named.
  const [first = ""] = readings;
  const value: unknown = /^\s*[[{]/.test(first) ? JSON.parse(first) : undefined;
  const fault = value === undefined ? undefined : misfit(value, schema, root, key);
  throw usage(fault ?? `${shown(key)}: expected ${typeText(schema, root)}`);
}

/** The schema of a member of an object. Throws `usage` for a name that the schema does not allow; without `additionalProperties` it allows those that it names. */
function memberSchema(schema: Schema, name: string, parent: string): unknown {
  const properties = propertiesOf(schema);
  if (properties.has(name)) return properties.get(name);
  const { additionalProperties = properties.size === 0 } = schema;
  if (additionalProperties !== false) return additionalProperties;
  const names = [...properties.keys()].map((each) => cleanText(each, 100));
  const near = nearest(name, names);
  throw usage(
    `${parent === "" ? "the tool" : shown(parent)} has no parameter ${shown(name)}`,
    near.length > 0
      ? `did you mean ${near.join(" or ")}?`
      : `it has: ${names.join(", ") || "none"}`,
  );
}

/** JSON text of a parameter or of all of them. Throws `usage`. */
function write(
  { texts, isList, members }: Given,
  schema: unknown,
  root: Schema,
  key: string,
): string {
  const own = resolved(schema, root);
  if (texts.length === 1 && !isList && members.size === 0) return typed(texts[0]!, own, root, key);
  if (texts.length > 0) {
    const list = `[${texts.map((text) => typed(text, own.items ?? true, root, key)).join(",")}]`;
    const isFit = members.size === 0 && misfit(JSON.parse(list), own, root) === undefined;
    if (isFit) return list;
    throw usage(
      texts.length > 1 || members.size > 0
        ? `${shown(key)} is given twice`
        : `${shown(key)}: expected ${typeText(own, root)}`,
    );
  }
  const written = [...members].map(([name, given]) => {
    const path = key === "" ? name : `${key}[${name}]`;
    return `${JSON.stringify(name)}:${write(given, memberSchema(own, name, key), root, path)}`;
  });
  return `{${written.join(",")}}`;
}

/**
 * The JSON text of a call's arguments, on one line, from words `key=value` that are typed by the tool's schema. Throws `usage`
 * for a name, a value or an absence that does not fit.
 */
export function typedArguments(words: readonly string[], inputSchema: unknown): string {
  const root = isObject(inputSchema) ? inputSchema : {};
  const schema = resolved(root, root);
  const names = propertiesOf(schema);
  const given = nothing();
  for (const word of words) add(given, word, (key) => names.has(key));
  const text = write(given, schema, root, "");
  const fault = misfit(JSON.parse(text), schema, root);
  if (fault === undefined) return text;
  const { members } = given;
  const missing = requiredOf(schema).filter((name) => !members.has(name));
  const needed = missing.map((name) => `${cleanText(name, 100)}=...`);
  throw usage(fault, needed.length > 0 ? `it needs ${needed.join(" ")}` : undefined);
}
