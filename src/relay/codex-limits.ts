// Limits of Codex, measured with 0.169.0: a line over 16 MiB hangs its call, content of an unknown type fails it.
import { textResult } from "../upstream/stand-in/results.ts";
import { BridgeError, type CommandLine } from "../wire/errors.ts";
import { errorTo, type Message, responseTo } from "../wire/message.ts";
import { children, find } from "../wire/spans.ts";

/** Codex discards a longer line, line feed included, and so never sees the answer. */
const maxLineBytes = 16 * 1024 * 1024;
/** Content types that Codex knows. */
const known: ReadonlySet<unknown> = new Set([
  "text",
  "image",
  "audio",
  "resource",
  "resource_link",
]);
/** Answers up to this size are parsed whole to check their content. */
const smallBytes = 64 * 1024;
const decoder = new TextDecoder();

/** Whether Codex reads a message of this size. */
export function isReadable({ bytes }: Message): boolean {
  return bytes.length < maxLineBytes;
}

/** Changes an answer that Codex cannot read; returns any other answer unchanged. */
export function forCodex(answer: Message, request: Message, commandLine: CommandLine): Message {
  const isCall = request.head.method === "tools/call";
  const taken = isCall ? withKnownContent(answer) : answer;
  if (isReadable(taken)) return taken;
  const id = taken.head.id!;
  const error = tooLongError("answer", taken, "ask the tool for less at a time");
  const shown = error.toJsonRpc(commandLine);
  return isCall
    ? responseTo(id, textResult(request, shown.message, error.kind))
    : errorTo(id, shown);
}

/** Replaces content of an unknown type by a text block with its JSON. */
function withKnownContent(answer: Message): Message {
  const { bytes } = answer;
  // Most answers are small; JSON.parse checks them faster than a walk over their bytes.
  if (bytes.length <= smallBytes && hasKnownContent(answer.value(["result", "content"])))
    return answer;
  const content = find(bytes, ["result", "content"]);
  if (content === undefined || bytes[content.start] !== 0x5b) return answer;
  const changes = new Map<number, string>();
  let index = 0;
  for (const item of children(bytes, content)) {
    const type = find(bytes, ["type"], item);
    if (type === undefined || !known.has(wordAt(bytes.subarray(type.start, type.end)))) {
      const text = decoder.decode(bytes.subarray(item.start, item.end));
      changes.set(index, JSON.stringify({ type: "text", text }));
    }
    index++;
  }
  return changes.size === 0 ? answer : answer.withElements(["result", "content"], changes);
}

function hasKnownContent(content: unknown): boolean {
  if (!Array.isArray(content)) return true;
  return content.every((item: { type?: unknown } | null) => known.has(item?.type));
}

/** Parses a JSON string; empty for any other value. */
function wordAt(json: Uint8Array): string {
  const value: unknown = json[0] === 0x22 ? JSON.parse(decoder.decode(json)) : undefined;
  return typeof value === "string" ? value : "";
}

/** The error for a message that is too long for Codex; `what` names the message. */
export function tooLongError(what: string, { bytes }: Message, hint: string): BridgeError {
  return new BridgeError(
    "too-large",
    `the ${what} has ${bytes.length} bytes, and Codex reads ${maxLineBytes} at most`,
    { hint },
  );
}
