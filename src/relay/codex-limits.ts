// What Codex cannot take (measured with 0.169.0): a line over 16 MiB hangs its call, an unknown kind of content fails it.
import { BridgeError, type CommandLine } from "../wire/errors.ts";
import { errorTo, type Message } from "../wire/message.ts";
import { children, find } from "../wire/spans.ts";

/** Codex discards a longer line, its line feed included, and with it the answer. */
const maxLineBytes = 16 * 1024 * 1024;
/** Kinds of content that Codex knows. */
const known: ReadonlySet<unknown> = new Set([
  "text",
  "image",
  "audio",
  "resource",
  "resource_link",
]);
/** Up to this many bytes an answer is parsed whole to look at its content. */
const smallBytes = 64 * 1024;
const decoder = new TextDecoder();

/** Whether Codex reads a message of this size. */
export function isReadable({ bytes }: Message): boolean {
  return bytes.length < maxLineBytes;
}

/** The answer to a request of this method as Codex can take it: unchanged wherever it can. */
export function forCodex(
  answer: Message,
  method: string | undefined,
  commandLine: CommandLine,
): Message {
  const taken = method === "tools/call" ? withKnownContent(answer) : answer;
  if (isReadable(taken)) return taken;
  const error = tooLongError("answer", taken, "ask the tool for less at a time");
  return errorTo(taken.head.id!, error.toJsonRpc(commandLine));
}

/** Content of another kind becomes a text block that holds its JSON. */
function withKnownContent(answer: Message): Message {
  const { bytes } = answer;
  // Small answers, which most are, the native parser judges sooner than a walk does.
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

/** The string that the JSON text says; empty for any other value. */
function wordAt(json: Uint8Array): string {
  const value: unknown = json[0] === 0x22 ? JSON.parse(decoder.decode(json)) : undefined;
  return typeof value === "string" ? value : "";
}

/** The error for a message that Codex does not read; `what` it is, and what helps. */
export function tooLongError(what: string, { bytes }: Message, hint: string): BridgeError {
  return new BridgeError(
    "too-large",
    `the ${what} has ${bytes.length} bytes, and Codex reads ${maxLineBytes} at most`,
    { hint },
  );
}
