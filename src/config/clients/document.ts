import type { Node } from "jsonc-parser";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { JsonProblem, readJsonDocument } from "../json-document.ts";
import { readDocument } from "../toml-document.ts";

/** File format of a client's configuration; `json` allows comments and trailing commas. */
export type Format = "json" | "yaml" | "toml";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is an object and not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The format by the file name's extension; `json` for an unknown extension. */
export function formatOf(path: string): Format {
  if (/\.ya?ml$/i.test(path)) return "yaml";
  return /\.toml$/i.test(path) ? "toml" : "json";
}

function broken(where: string, problem: string): BridgeError {
  return new BridgeError("configuration", `${where}: ${problem}`, {
    hint: "correct that file; nothing was changed",
  });
}

/** Line and column of an offset, for errors. */
function position(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** Parses JSON with comments; undefined for an empty text. Throws `configuration`; the message never quotes the text. */
export async function parseJsonTree(text: string, where: string): Promise<Node | undefined> {
  const plain = text.replace(/^\ufeff/, " ");
  if (plain.trim() === "") return undefined;
  try {
    await readJsonDocument(plain);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    const { line, column } = error.place;
    throw broken(where, `line ${line}, column ${column}: ${error.message}`);
  }
  const { parseTree } = await import("jsonc-parser");
  return parseTree(plain, [], { allowTrailingComma: true });
}

/** The value of a syntax tree. Throws `configuration` for a duplicate key: clients differ in which one they use. */
function plainValue(node: Node, text: string, where: string): unknown {
  if (node.type === "array") {
    return (node.children ?? []).map((item) => plainValue(item, text, where));
  }
  if (node.type !== "object") return node.value;
  const value: Record<string, unknown> = {};
  for (const { children = [] } of node.children ?? []) {
    const [key, item] = children;
    if (key === undefined || item === undefined) continue;
    if (Object.hasOwn(value, key.value)) {
      throw broken(where, `${position(text, key.offset)}: the key stands twice`);
    }
    // Assigning to the key `__proto__` would set the prototype.
    Object.defineProperty(value, key.value, {
      value: plainValue(item, text, where),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return value;
}

/** Parses YAML. Throws `configuration`; the message never quotes the text. */
async function readYaml(text: string, where: string): Promise<unknown> {
  const { parseDocument } = await import("yaml");
  // Pretty errors would quote lines of the file, which may hold secrets.
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true, merge: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const problem = error.code === "DUPLICATE_KEY" ? "the key stands twice" : "not YAML";
    throw broken(where, `${position(text, error.pos[0])}: ${problem}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw broken(where, "its aliases cannot be resolved");
  }
}

async function readToml(text: string, where: string): Promise<unknown> {
  try {
    return (await readDocument(text)).value;
  } catch (error) {
    const { message } = asBridgeError(error);
    throw broken(where, message.replace(/^config\.toml[:,] /, ""));
  }
}

/** Parses a client's file; undefined for an empty text. `where` names the file in errors. Throws `configuration`. */
export async function readValue(text: string, format: Format, where: string): Promise<unknown> {
  if (format === "toml") return readToml(text, where);
  if (format === "yaml") return (await readYaml(text, where)) ?? undefined;
  const tree = await parseJsonTree(text, where);
  return tree === undefined ? undefined : plainValue(tree, text, where);
}
