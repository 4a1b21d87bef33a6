// Prints the result of a call: text on stdout; images, audio and binary resources into files.
import type { Context } from "../../cli/command.ts";
import { writeNewFile } from "../../platform/new-file.ts";
import { cleanText, terminalText } from "../../wire/text.ts";
import { type Block, blocksOf, blockText, writtenText } from "../test/content.ts";
import type { Result } from "../test/mcp-child.ts";
import { isObject } from "./schema.ts";

export interface ResultOutput {
  readonly context: Context;
  /** The tool's name; files are named after it. */
  readonly tool: string;
  /** The folder for files. */
  readonly folder: string;
  /** Whether stdout is a terminal: control characters are then removed from the server's text. */
  readonly isTerminal: boolean;
}

const extensions: Readonly<Record<string, string>> = {
  "application/json": "json",
  "application/pdf": "pdf",
  "application/zip": "zip",
  "audio/mpeg": "mp3",
  "audio/ogg": "ogg",
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "image/gif": "gif",
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/svg+xml": "svg",
  "image/webp": "webp",
  "text/csv": "csv",
  "text/html": "html",
  "text/plain": "txt",
  "video/mp4": "mp4",
};

/** The base64 data of an image, an audio clip or a binary resource. */
function dataOf({
  data,
  mimeType,
  resource,
}: Block): { data: string; mimeType: unknown } | undefined {
  if (typeof data === "string") return { data, mimeType };
  const blob = resource?.blob;
  return typeof blob === "string" ? { data: blob, mimeType: resource?.mimeType } : undefined;
}

/** Saves a block's data and says where; resolves to false if it is not base64. Throws `configuration`. */
function save(data: string, mimeType: unknown, { context, tool, folder }: ResultOutput): boolean {
  const type = cleanText(String(mimeType ?? "application/octet-stream"), 60);
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(data);
  } catch {
    context.warn(`the tool sent ${type} that is not base64; it is not saved`);
    return false;
  }
  const stem = tool.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 80) || "result";
  const extension = extensions[type.toLowerCase().split(";")[0]!.trim()] ?? "bin";
  const path = writeNewFile(folder, { stem, extension }, bytes);
  context.note(`saved ${path} (${type}, ${bytes.length} bytes)`);
  return true;
}

/** The structured result as JSON text, unless a text block says the same. */
function structuredText({ structuredContent }: Result, texts: readonly string[]): string[] {
  if (!isObject(structuredContent)) return [];
  const plain = JSON.stringify(structuredContent);
  const isSame = (text: string) => {
    try {
      return JSON.stringify(JSON.parse(text)) === plain;
    } catch {
      return false;
    }
  };
  return texts.some(isSame) ? [] : [JSON.stringify(structuredContent, null, 2)];
}

/** Prints a result; resolves to whether every block could be printed or saved. Throws `configuration`. */
export async function printResult(result: Result, output: ResultOutput): Promise<boolean> {
  const { context, isTerminal } = output;
  const blocks = blocksOf(result);
  const texts = blocks.map(writtenText).filter((text) => text !== undefined);
  let isWhole = true;
  const print = async (text: string) => {
    const safe = context.redactor.redact(isTerminal ? terminalText(text) : text);
    await context.print(safe.endsWith("\n") ? safe : `${safe}\n`);
  };
  for (const block of blocks) {
    const found = dataOf(block);
    if (found === undefined) await print(writtenText(block) ?? blockText(block));
    else if (!save(found.data, found.mimeType, output)) isWhole = false;
  }
  for (const text of structuredText(result, texts)) await print(text);
  return isWhole;
}
