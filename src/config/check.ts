// Checks a JSON file by its schema, with errors that name the key and never show a value.
import * as v from "valibot";
import { BridgeError } from "../wire/errors.ts";
import { nearest } from "../wire/nearest-name.ts";
import { cleanText } from "../wire/text.ts";
import { ConfigProblem } from "./config-problem.ts";
import { schemaOf, type Table, type Whole } from "./schema.ts";
import { type KeyPath, parseStrict } from "./strict-json.ts";

/** The parts of a valibot schema that this module reads. */
interface Shape {
  readonly type: string;
  /** Schemas of the values, by key, if the schema is an object. */
  readonly entries?: Readonly<Record<string, Shape>>;
  /** Schema of the value, if the value is optional. */
  readonly wrapped?: Shape;
  /** The alternatives, if the schema is a variant. */
  readonly options?: readonly Shape[];
  /** Schema of the items, if the schema is a list. */
  readonly item?: Shape;
}

/** The keys that an object of this shape may have; undefined if the shape is no object. */
function keysOf(shape: Shape | undefined): Readonly<Record<string, Shape>> | undefined {
  if (shape?.wrapped !== undefined) return keysOf(shape.wrapped);
  if (shape?.options === undefined) return shape?.type === "record" ? {} : shape?.entries;
  const all = shape.options.map(keysOf);
  return all.includes(undefined) ? undefined : Object.assign({}, ...all);
}

/** Path of the first list where the schema wants an object. valibot would accept the list as an object without keys. */
function findMisplacedList(value: unknown, shape: Shape | undefined): KeyPath | undefined {
  const { wrapped, item } = shape ?? {};
  if (wrapped !== undefined) return findMisplacedList(value, wrapped);
  if (item !== undefined) return findInItems(value, item);
  const keys = keysOf(shape);
  if (keys === undefined) return undefined;
  if (Array.isArray(value)) return [];
  for (const [key, inner] of isObject(value) ? Object.entries(value) : []) {
    const found = Object.hasOwn(keys, key) ? findMisplacedList(inner, keys[key]) : undefined;
    if (found !== undefined) return [key, ...found];
  }
  return undefined;
}

function findInItems(value: unknown, item: Shape): KeyPath | undefined {
  for (const [at, each] of Array.isArray(value) ? value.entries() : []) {
    const found = findMisplacedList(each, item);
    if (found !== undefined) return [at, ...found];
  }
  return undefined;
}

/** Turns an issue of valibot into a ConfigProblem with our message. */
function problemOf(
  issue: v.BaseIssue<unknown>,
  table: Table,
  base: readonly string[],
): ConfigProblem {
  const within = issue.path?.map((item) => item.key as string | number) ?? [];
  const path = [...base, ...within];
  const key = String(path.at(-1));
  if (issue.expected === "never") {
    const parents = within.slice(0, -1);
    const parent = parents.reduce<Shape | undefined>(
      (shape, step) => keysOf(shape)?.[String(step)],
      schemaOf(table),
    );
    const [near] = nearest(key, Object.keys(keysOf(parent) ?? {}));
    return new ConfigProblem(path, `unknown key${near === undefined ? "" : ` (is it ${near}?)`}`);
  }
  if (issue.received === "undefined") return new ConfigProblem(path, "missing");
  return new ConfigProblem(path, issue.message);
}

/** Validates an object of the file. Builds only the schemas of the keys that the object has, and of `required`. Throws ConfigProblem. */
export function check<T extends Table>(
  table: T,
  value: unknown,
  { base = [], required = [] }: { base?: readonly string[]; required?: readonly string[] } = {},
): v.InferOutput<Whole<T>> {
  const keys = isObject(value) ? [...Object.keys(value), ...required] : [];
  const schema = schemaOf(table, keys);
  const list = findMisplacedList(value, schema);
  if (list !== undefined)
    throw new ConfigProblem([...base, ...list], "expected an object, not a list");
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  throw problemOf(result.issues[0], table, base);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The dotted name of a key, as errors show it. */
function keyPath(keys: KeyPath): string {
  const [first = "", ...rest] = keys.map((key) =>
    typeof key === "number" ? `[${key}]` : cleanText(key, 100),
  );
  return rest.reduce((path, key) => `${path}${key.startsWith("[") ? "" : "."}${key}`, first);
}

interface FileFacts {
  readonly file: string;
  /** False for a text that is not written yet: its errors have no line. */
  readonly isSaved: boolean;
  /** The word after `setup --schema` that prints the schema. */
  readonly schema: "config" | "policy";
}

/** Parses the text of a JSON file and builds something of its object. Throws `configuration` with file, line and key path, never a value. */
export async function parseFile<T>(
  text: string,
  { file, isSaved, schema }: FileFacts,
  build: (value: object) => T,
): Promise<T> {
  const refusal = (place: { line: number; column: number }, message: string, path?: KeyPath) => {
    // A syntax error has no key, so the column locates it.
    const column = path === undefined ? `, column ${place.column}` : "";
    const line = isSaved ? `, line ${place.line}${column}` : "";
    const key = path === undefined || path.length === 0 ? "" : `${keyPath(path)}: `;
    const words = schema === "config" ? "setup --schema" : `setup --schema ${schema}`;
    return new BridgeError("configuration", `${file}${line}: ${key}${message}`, {
      hint: (command) => `correct the file, or see: ${command(words)}`,
    });
  };
  const raw = parseStrict(text);
  if (raw === undefined) {
    const { findJsonProblem } = await import("./json-document.ts");
    const { place, message, path } = await findJsonProblem(text);
    throw refusal(place, message, path);
  }
  try {
    if (!isObject(raw)) throw new ConfigProblem([], "expected an object");
    return build(raw);
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error;
    const { readJsonDocument } = await import("./json-document.ts");
    const { placeOf } = await readJsonDocument(text);
    throw refusal(placeOf(error.path), error.message, error.path);
  }
}
