// A tool in plain text: its name, what it says of itself, and its parameters.
import { cleanText, terminalText } from "../../wire/text.ts";
import {
  isObject,
  propertiesOf,
  requiredOf,
  resolved,
  type Schema,
  shownValue,
  typeText,
} from "./schema.ts";

/** A tool as a server may have listed it. */
export interface ListedTool {
  readonly name?: unknown;
  readonly title?: unknown;
  readonly description?: unknown;
  readonly inputSchema?: unknown;
  readonly annotations?: unknown;
}

/** Nesting of parameters that is shown. */
const shownDepth = 4;

/** The annotations that tell a person what a call may do (MCP 2025-03-26 server/tools). */
function traitsOf({ annotations }: ListedTool): string {
  const { readOnlyHint, destructiveHint, idempotentHint } = (
    isObject(annotations) ? annotations : {}
  ) as { readonly [name in "readOnlyHint" | "destructiveHint" | "idempotentHint"]?: unknown };
  const traits = [
    readOnlyHint === true && "read-only",
    readOnlyHint !== true && destructiveHint === true && "destructive",
    readOnlyHint !== true && idempotentHint === true && "idempotent",
  ].filter((trait) => trait !== false);
  return traits.length === 0 ? "" : ` (${traits.join(", ")})`;
}

/** Lines of a server's text, cleaned and indented; none for any other value. */
function textLines(text: unknown, indent: string): string[] {
  if (typeof text !== "string" || text.trim() === "") return [];
  return terminalText(text.trim())
    .split("\n")
    .map((line) => `${indent}${line}`.trimEnd());
}

function parameterLines(written: unknown, root: Schema, indent: string, depth: number): string[] {
  const schema = resolved(written, root);
  const required = requiredOf(schema);
  return [...propertiesOf(schema)].flatMap(([name, value]) => {
    const own = resolved(value, root);
    const facts = [
      typeText(own, root),
      ...(required.includes(name) ? ["required"] : []),
      ...(own.default === undefined ? [] : [`default ${shownValue(own.default)}`]),
    ];
    const inner = Array.isArray(own.type) || own.type !== "array" ? own : resolved(own.items, root);
    return [
      `${indent}${cleanText(name, 100)} (${facts.join(", ")})`,
      ...textLines(own.description, `${indent}  `),
      ...(depth < shownDepth ? parameterLines(inner, root, `${indent}  `, depth + 1) : []),
    ];
  });
}

/** The lines of one tool, without colours and safe for a terminal. `index`: its place in the list, where it has no name. */
export function toolLines(tool: unknown, index: number): string[] {
  const { name, title, description, inputSchema } = (isObject(tool) ? tool : {}) as ListedTool;
  const label = typeof name === "string" ? cleanText(name, 200) : `#${index + 1} (no name)`;
  const about = typeof title === "string" && title !== name ? `: ${cleanText(title, 200)}` : "";
  const root = isObject(inputSchema) ? inputSchema : {};
  return [
    `${label}${about}${traitsOf((tool ?? {}) as ListedTool)}`,
    ...textLines(description, "  "),
    ...parameterLines(root, root, "    ", 1),
  ];
}
