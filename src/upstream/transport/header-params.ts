// What the bridge knows of a server's tools, read from answers to tools/list as they leave the transport.
import { headerValue } from "../../wire/header-value.ts";
import type { Message } from "../../wire/message.ts";

/** An argument that is mirrored into a header (MCP 2026-07-28 basic/transports/streamable-http, custom headers). */
interface Mirrored {
  /** Keys from `arguments` inwards. */
  readonly path: readonly string[];
  readonly header: string;
}

type Json = Record<string, unknown>;

/** A tool that may not be offered. */
interface InvalidTool {
  /** Its place in `result.tools`. */
  readonly index: number;
  readonly name: string;
  readonly reason: string;
}

/** Which arguments of which tools go into headers. */
export class ToolTable {
  readonly #tools = new Map<string, readonly Mirrored[]>();

  /** Notes the tools of an answer to tools/list; returns those whose header annotations are invalid. */
  learn(answer: Message): InvalidTool[] {
    const tools = answer.value(["result", "tools"]);
    if (!Array.isArray(tools)) return [];
    return tools.flatMap((tool: unknown, index) => {
      const { name, inputSchema } = mapOf(tool);
      if (typeof name !== "string") return [];
      const mirrored = mirroredOf(inputSchema);
      if (typeof mirrored === "string") {
        this.#tools.delete(name);
        return [{ index, name, reason: mirrored }];
      }
      this.#tools.set(name, mirrored);
      return [];
    });
  }

  /** The Mcp-Param headers of a call; none for a tool never seen. */
  headersOf(call: Message): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const { path, header } of this.#tools.get(call.name ?? "") ?? []) {
      const text = call.text(["params", "arguments", ...path]);
      const value = text === undefined ? undefined : plainValue(text);
      if (value !== undefined) headers[`Mcp-Param-${header}`] = headerValue(value);
    }
    return headers;
  }
}

/** A primitive's text in a header; undefined for null, for what is none, and for an integer that peers would round. */
function plainValue(json: string): string | undefined {
  const value: unknown = JSON.parse(json);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const annotation = "x-mcp-header";
/** Where a schema may stand that no chain of `properties` reaches. */
const schemas = ["items", "contains", "additionalProperties", "unevaluatedProperties", "not"];
const moreSchemas = ["unevaluatedItems", "propertyNames", "if", "then", "else"];
const schemaLists = ["prefixItems", "oneOf", "anyOf", "allOf", "items"];
const schemaMaps = ["patternProperties", "dependentSchemas", "$defs", "definitions"];

/** The mirrored arguments of a tool, or why its definition is invalid. */
function mirroredOf(inputSchema: unknown): readonly Mirrored[] | string {
  const found: Mirrored[] = [];
  const names = new Set<string>();
  const fault = visit(inputSchema, [], true);
  return fault ?? found;

  function visit(
    schema: unknown,
    path: readonly string[],
    isReachable: boolean,
  ): string | undefined {
    if (!isObject(schema)) return undefined;
    if (annotation in schema) {
      const wrong = note(schema, path, isReachable);
      if (wrong !== undefined) return wrong;
    }
    const { properties } = schema;
    for (const [key, property] of Object.entries(mapOf(properties))) {
      const wrong = visit(property, [...path, key], isReachable);
      if (wrong !== undefined) return wrong;
    }
    for (const hidden of hiddenSchemas(schema)) {
      const wrong = visit(hidden, path, false);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  function note(schema: Json, path: readonly string[], isReachable: boolean) {
    const { [annotation]: header, type } = schema;
    if (!isReachable || path.length === 0) return `${annotation} stands where no argument is`;
    if (typeof header !== "string" || !/^[\w!#$%&'*+.^`|~-]+$/.test(header))
      return `${annotation} of "${path.join(".")}" is no header name`;
    if (type !== "string" && type !== "integer" && type !== "boolean")
      return `${annotation} of "${path.join(".")}" is not on a string, integer or boolean`;
    if (names.has(header.toLowerCase())) return `${annotation} "${header}" stands twice`;
    names.add(header.toLowerCase());
    found.push({ path, header });
    return undefined;
  }
}

const mapOf = (value: unknown): Json => (isObject(value) ? value : {});

function hiddenSchemas(schema: Json): unknown[] {
  return [
    ...[...schemas, ...moreSchemas].map((key) => schema[key]),
    ...schemaLists.flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : [])),
    ...schemaMaps.flatMap((key) => Object.values(mapOf(schema[key]))),
  ];
}
