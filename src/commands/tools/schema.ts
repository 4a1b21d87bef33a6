// JSON Schema of a tool's arguments: what people read of it, and whether a value fits. Only the keywords that say something
// about type and presence are judged; the server judges the rest (formats, lengths, ranges).
import { cleanText } from "../../wire/text.ts";

/** A JSON Schema as a server wrote it; nothing is certain about its members. */
export interface Schema {
  readonly $ref?: unknown;
  readonly type?: unknown;
  readonly properties?: unknown;
  readonly required?: unknown;
  readonly additionalProperties?: unknown;
  readonly items?: unknown;
  readonly enum?: unknown;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: unknown;
  readonly anyOf?: unknown;
  readonly oneOf?: unknown;
  readonly allOf?: unknown;
  readonly [keyword: string]: unknown;
}

/** Nesting to which schemas are followed: a schema may contain itself. */
const maxDepth = 12;
/** Most values of an enumeration that are shown. */
const shownValues = 12;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const schemaOf = (value: unknown): Schema => (isObject(value) ? value : {});
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The value that a local reference (`#/$defs/Query`) names; undefined for any other reference (RFC 6901). */
function referred(ref: unknown, root: Schema): unknown {
  if (typeof ref !== "string" || !/^#(\/|$)/.test(ref)) return undefined;
  const steps = ref.split("/").slice(1);
  const keys = steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce<unknown>(
    (value, key) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    root,
  );
}

/** A schema with its references and `allOf` replaced by what they stand for; `root` is the whole schema. */
export function resolved(value: unknown, root: Schema, depth = 0): Schema {
  const { $ref, allOf, ...own } = schemaOf(value);
  if (depth === maxDepth) return own;
  const parts = [...($ref === undefined ? [] : [referred($ref, root)]), ...listOf(allOf)];
  let joined: Schema = own;
  for (const part of parts) {
    const other = resolved(part, root, depth + 1);
    const properties = { ...schemaOf(other.properties), ...schemaOf(joined.properties) };
    const required = [...listOf(other.required), ...listOf(joined.required)];
    joined = {
      ...other,
      ...joined,
      ...(Object.keys(properties).length > 0 && { properties }),
      ...(required.length > 0 && { required }),
    };
  }
  return joined;
}

/** The schemas of `anyOf` or `oneOf`, of which a value must fit one; empty without these keywords. */
const choicesOf = ({ anyOf, oneOf }: Schema) => [...listOf(anyOf), ...listOf(oneOf)];

/** The types that a schema names; `nullable` is OpenAPI's word for "or null". */
function typesOf({ type, nullable }: Schema): string[] {
  const types = [type].flat().filter((each) => typeof each === "string");
  return nullable === true && types.length > 0 ? [...types, "null"] : types;
}

/** The properties of an object's schema. */
export function propertiesOf(schema: Schema): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(schemaOf(schema.properties)));
}

/** The names of the properties that must be present. */
export function requiredOf({ required }: Schema): string[] {
  return listOf(required).filter((name) => typeof name === "string");
}

/** The type of a parameter in words: `string`, `list of integer`, `"a" | "b"`, `string or null`. */
export function typeText(value: unknown, root: Schema, depth = 0): string {
  const schema = resolved(value, root);
  const choices = choicesOf(schema);
  if (choices.length > 0 && depth < maxDepth) {
    const texts = choices.map((choice) => typeText(choice, root, depth + 1));
    return [...new Set(texts)].join(" or ");
  }
  const { items, enum: values, const: only } = schema;
  if (only !== undefined) return shownValue(only);
  if (Array.isArray(values)) {
    const shown = values.slice(0, shownValues).map(shownValue);
    return [...shown, ...(values.length > shownValues ? ["..."] : [])].join(" | ");
  }
  const names = typesOf(schema).map((each) =>
    each === "array" && items !== undefined && depth < maxDepth
      ? `list of ${typeText(items, root, depth + 1)}`
      : each === "array"
        ? "list"
        : cleanText(each, 30),
  );
  return names.join(" or ") || (schema.properties === undefined ? "any" : "object");
}

/** A value of a schema (default, enumeration) for display. */
export function shownValue(value: unknown): string {
  return cleanText(JSON.stringify(value), 100);
}

const isOfType: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  null: (value) => value === null,
  array: Array.isArray,
  object: isObject,
};

const isEqual = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** Why a JSON value does not fit a schema, with the name of the misfit; undefined if it fits. `path`: the value's own name. */
export function misfit(
  value: unknown,
  written: unknown,
  root: Schema,
  path = "",
  depth = 0,
): string | undefined {
  if (depth > maxDepth || written === true) return undefined;
  const schema = resolved(written, root);
  const named = path === "" ? "the arguments" : `"${cleanText(path, 100)}"`;
  const wanted = `${named}: expected ${typeText(schema, root)}`;
  const choices = choicesOf(schema);
  const fits = (choice: unknown) => misfit(value, choice, root, path, depth + 1) === undefined;
  if (choices.length > 0 && !choices.some(fits)) return wanted;
  const { enum: values, const: only, items, additionalProperties } = schema;
  const types = typesOf(schema);
  if (types.length > 0 && !types.some((each) => isOfType[each]?.(value) ?? true)) return wanted;
  if (Array.isArray(values) && !values.some((each) => isEqual(each, value))) return wanted;
  if (only !== undefined && !isEqual(only, value)) return wanted;
  const within = (key: string | number) => (path === "" ? String(key) : `${path}[${key}]`);
  if (Array.isArray(value))
    return items === undefined
      ? undefined
      : first(value, (each, at) => misfit(each, items, root, within(at), depth + 1));
  if (!isObject(value)) return undefined;
  const properties = propertiesOf(schema);
  const missing = requiredOf(schema).find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined)
    return `"${cleanText(within(missing), 100)}" is missing (${typeText(properties.get(missing), root)})`;
  return first(Object.entries(value), ([name, each]) => {
    const own = properties.get(name) ?? additionalProperties ?? true;
    return own === false
      ? `"${cleanText(within(name), 100)}" is unknown`
      : misfit(each, own, root, within(name), depth + 1);
  });
}

/** The first result that is not undefined. */
function first<T>(
  items: readonly T[],
  work: (item: T, at: number) => string | undefined,
): string | undefined {
  for (const [at, item] of items.entries()) {
    const found = work(item, at);
    if (found !== undefined) return found;
  }
  return undefined;
}
