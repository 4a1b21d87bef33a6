// Header annotations in a tool's input schema (MCP 2026-07-28 basic/transports/streamable-http, custom headers).

/** A tool argument whose value is repeated in a header of the request. */
export interface MirroredArgument {
  /** Keys from `arguments` inwards. */
  readonly path: readonly string[];
  /** The part of the header's name after `Mcp-Param-`. */
  readonly header: string;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The schema keyword that names the header. */
export const annotation = "x-mcp-header";
/** Keywords that hold schemas which no chain of `properties` reaches; an annotation there is invalid. */
const schemas = ["items", "contains", "additionalProperties", "unevaluatedProperties", "not"];
const moreSchemas = ["unevaluatedItems", "propertyNames", "if", "then", "else"];
const schemaLists = ["prefixItems", "oneOf", "anyOf", "allOf", "items"];
const schemaMaps = ["patternProperties", "dependentSchemas", "$defs", "definitions"];

/** Returns the mirrored arguments of a tool with this input schema; a string says why its annotations are invalid. */
export function mirroredArguments(inputSchema: unknown): readonly MirroredArgument[] | string {
  const found: MirroredArgument[] = [];
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
