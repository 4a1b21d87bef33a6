// What strict MCP clients refuse in a list of tools. Measured with Codex CLI 0.171.0: it reads a list as one typed value, so
// that one malformed tool costs the user every tool of the server.
import { cleanText } from "../../wire/text.ts";

/** One fault of a tool in a list. */
export interface ToolProblem {
  /** Index in the list. */
  readonly index: number;
  /** The tool's name, cleaned; `#3` for the third tool if it has none. */
  readonly tool: string;
  /** The fault, without a subject: `has no inputSchema`. */
  readonly problem: string;
  /**
   * What a strict client does: it drops the whole `list`, drops this `tool`, or shows the tool `altered`.
   * Leaving out the tools of the first two kinds makes the list good.
   */
  readonly effect: "list" | "tool" | "altered";
}

/** Codex drops the descriptions and definitions of a longer schema (`tool_input_schema_max_bytes`). */
const maxSchemaBytes = 5000;
/** Model providers refuse longer names of functions. */
const maxNameLength = 64;

/** A tool, its annotations or an icon, as a server may have sent it. */
interface Json {
  readonly name?: unknown;
  readonly inputSchema?: unknown;
  readonly annotations?: unknown;
  readonly icons?: unknown;
  readonly src?: unknown;
  readonly sizes?: unknown;
  readonly [name: string]: unknown;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isAbsent = (value: unknown) => value === undefined || value === null;

const types = {
  string: (value: unknown) => typeof value === "string",
  boolean: (value: unknown) => typeof value === "boolean",
  object: isObject,
} as const;

/** Optional members and their types: of a tool, of its annotations, of an icon. */
const optional = {
  tool: {
    title: "string",
    description: "string",
    outputSchema: "object",
    annotations: "object",
    _meta: "object",
  },
  annotations: {
    title: "string",
    readOnlyHint: "boolean",
    destructiveHint: "boolean",
    idempotentHint: "boolean",
    openWorldHint: "boolean",
  },
  icon: { mimeType: "string" },
} as const satisfies Record<string, Record<string, keyof typeof types>>;

/** The first member of the wrong type, as a fault. */
function wrongMember(value: Json, kind: keyof typeof optional, path: string): string | undefined {
  const found = Object.entries(optional[kind]).find(
    ([key, type]) => !isAbsent(value[key]) && !types[type](value[key]),
  );
  if (found === undefined) return undefined;
  const [key, type] = found;
  return `has ${path}${key} that is not ${type === "object" ? "an" : "a"} ${type}`;
}

function wrongIcons(icons: unknown): string | undefined {
  if (isAbsent(icons)) return undefined;
  if (!Array.isArray(icons)) return "has icons that are not a list";
  for (const icon of icons as unknown[]) {
    if (!isObject(icon) || typeof icon.src !== "string") return "has an icon without src";
    if (!isAbsent(icon.sizes) && !Array.isArray(icon.sizes))
      return "has an icon whose sizes are not a list";
    const wrong = wrongMember(icon, "icon", "an icon's ");
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** The fault for which a strict client drops the whole list; undefined if there is none. */
function fatalFault(tool: unknown): string | undefined {
  if (!isObject(tool)) return tool === null ? "is null" : "is not an object";
  const { name, inputSchema, annotations, icons } = tool;
  if (typeof name !== "string")
    return isAbsent(name) ? "has no name" : "has a name that is no string";
  if (!isObject(inputSchema))
    return isAbsent(inputSchema) ? "has no inputSchema" : "has an inputSchema that is no object";
  return (
    wrongMember(tool, "tool", "") ??
    (isObject(annotations) ? wrongMember(annotations, "annotations", "annotations.") : undefined) ??
    wrongIcons(icons)
  );
}

/** The name that Codex shows to the model: letters, digits and `_`. */
const shownName = (name: string) => name.replace(/[^A-Za-z0-9_]/g, "_");

function nameFault(name: string): string | undefined {
  if (!/[A-Za-z0-9]/.test(name))
    return `has a name that Codex can only show as "${shownName(name)}"`;
  if (name.length > maxNameLength)
    return `has a name of ${name.length} characters; models take ${maxNameLength}`;
  return undefined;
}

function schemaFault(schema: unknown): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  return bytes > maxSchemaBytes
    ? `has an inputSchema of ${bytes} bytes; above ${maxSchemaBytes} Codex leaves out its descriptions and definitions`
    : undefined;
}

/** The faults of a server's tools, in the order of the list; `tools` is `result.tools` of all pages. */
export function toolProblems(tools: readonly unknown[]): ToolProblem[] {
  const names = new Set<string>();
  return tools.flatMap((tool, index) => {
    const name = isObject(tool) && typeof tool.name === "string" ? tool.name : undefined;
    const label = cleanText(name ?? "", 100) || `#${index + 1}`;
    const found = (problem: string, effect: ToolProblem["effect"]) => ({
      index,
      tool: label,
      problem,
      effect,
    });
    const fatal = fatalFault(tool);
    if (fatal !== undefined) return [found(fatal, "list")];
    if (names.has(name!)) return [found("is listed twice", "tool")];
    names.add(name!);
    return [nameFault(name!), schemaFault((tool as Json).inputSchema)]
      .filter((fault) => fault !== undefined)
      .map((fault) => found(fault, "altered"));
  });
}
