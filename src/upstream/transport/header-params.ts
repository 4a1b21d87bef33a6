import { headerValue } from "../../wire/header-value.ts";
import type { Message } from "../../wire/message.ts";
import type { ToolTable } from "../core/tool-table.ts";

/** The Mcp-Param headers of a call (MCP 2026-07-28 basic/transports/streamable-http, custom headers); none for a tool that was never listed. */
export function paramHeaders(call: Message, tools: ToolTable): Record<string, string> {
  const headers: Record<string, string> = {};
  const mirrored = tools.factsOf(call.name ?? "")?.mirrored ?? [];
  if (typeof mirrored === "string") return headers;
  for (const { path, header } of mirrored) {
    const text = call.text(["params", "arguments", ...path]);
    const value = text === undefined ? undefined : plainValue(text);
    if (value !== undefined) headers[`Mcp-Param-${header}`] = headerValue(value);
  }
  return headers;
}

/** A primitive's text in a header; undefined for null, for objects and lists, and for an integer that a peer with doubles would round. */
function plainValue(json: string): string | undefined {
  const value: unknown = JSON.parse(json);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}
