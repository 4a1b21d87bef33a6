// The content blocks of a tool's result, as text for people.
import { cleanText, terminalText } from "../../wire/text.ts";
import type { Result } from "./mcp-child.ts";

/** A content block of any type; a server may have put anything into its members. */
export interface Block {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly data?: unknown;
  readonly mimeType?: unknown;
  readonly uri?: unknown;
  readonly name?: unknown;
  readonly resource?:
    | { readonly [member in "uri" | "text" | "blob" | "mimeType"]?: unknown }
    | null;
}

/** The blocks of a result; a member that is no object counts as an empty block. */
export function blocksOf({ content }: Result): Block[] {
  const blocks = Array.isArray(content) ? (content as unknown[]) : [];
  return blocks.map((block) =>
    typeof block === "object" && block !== null ? (block as Block) : {},
  );
}

/** The text of a block as the server wrote it; undefined if the block has none. */
export function writtenText({ text, resource }: Block): string | undefined {
  const written = text ?? resource?.text;
  return typeof written === "string" ? written : undefined;
}

/** Text of one block, cleaned for a terminal; a block without text becomes its type in parentheses. */
export function blockText(block: Block): string {
  const { type, uri, name } = block;
  const written = writtenText(block);
  if (written !== undefined) return terminalText(written);
  if (type === "resource_link") return cleanText(`${name ?? "resource"}: ${uri}`);
  return `(${cleanText(String(type), 50)})`;
}

/** The whole content of a result as text, cleaned for a terminal. */
export function contentText(result: Result): string {
  return blocksOf(result).map(blockText).join("\n");
}
