// What Codex cannot take (measured with 0.169.0): a line over 16 MiB hangs its call, an unknown kind of content fails it.
import { BridgeError } from "../wire/errors.ts";
import { errorTo, type Message } from "../wire/message.ts";
import { children, find } from "../wire/spans.ts";

/** Codex discards a longer line, its line feed included, and with it the answer. */
const maxLineBytes = 16 * 1024 * 1024;
/** Kinds of content that Codex knows. */
const known = new Set(["text", "image", "audio", "resource", "resource_link"]);
const decoder = new TextDecoder();

/** Whether Codex reads a message of this size. */
export function isReadable({ bytes }: Message): boolean {
  return bytes.length < maxLineBytes;
}

/** The answer to a request of this method as Codex can take it: unchanged wherever it can. */
export function forCodex(answer: Message, method: string | undefined): Message {
  const taken = method === "tools/call" ? withKnownContent(answer) : answer;
  return isReadable(taken) ? taken : tooLong(taken);
}

/** Content of another kind becomes a text block that holds its JSON. */
function withKnownContent(answer: Message): Message {
  const { bytes } = answer;
  const content = find(bytes, ["result", "content"]);
  if (content === undefined || bytes[content.start] !== 0x5b) return answer;
  const edits = [...children(bytes, content)].flatMap((item, index) => {
    const type = [...children(bytes, item)].findLast(({ key }) => key === "type");
    if (type !== undefined && known.has(wordAt(bytes.subarray(type.start, type.end)))) return [];
    const text = decoder.decode(bytes.subarray(item.start, item.end));
    const raw = JSON.stringify({ type: "text", text });
    return [{ path: ["result", "content", index], raw }];
  });
  return edits.length === 0 ? answer : answer.with(edits);
}

/** The string that the JSON text says; empty for any other value. */
function wordAt(json: Uint8Array): string {
  const value: unknown = json[0] === 0x22 ? JSON.parse(decoder.decode(json)) : undefined;
  return typeof value === "string" ? value : "";
}

function tooLong({ head, bytes }: Message): Message {
  const error = new BridgeError(
    "too-large",
    `the answer has ${bytes.length} bytes, and Codex reads ${maxLineBytes} at most`,
    { hint: "ask the tool for less at a time" },
  );
  return errorTo(head.id!, error.toJsonRpc());
}
