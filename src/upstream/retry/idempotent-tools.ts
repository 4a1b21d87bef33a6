import type { Span } from "../../wire/envelope.ts";
import type { Message } from "../../wire/message.ts";
import { children, find } from "../../wire/spans.ts";

/** Methods that only read, in both eras: lists, reads and the like. */
const readBudget = ["/list", "/read", "/get", "/discover", "/complete"];
const isReading = (method: string) =>
  method === "initialize" || method === "ping" || readBudget.some((verb) => method.endsWith(verb));
/** Lists wait unread up to this many bytes in all: no start has to read one. */
const unreadBytes = 256 * 1024;
/** A list of more tools promises nothing, nor does a longer name. */
const maxTools = 10_000;
const maxNameLength = 256;

const decoder = new TextDecoder();

/** Which messages may be executed twice, told by their method or, for tools, by the list that the server gave in this run. */
export class IdempotentTools {
  /** Answers to tools/list that were not looked into yet. */
  #unread: Message[] = [];
  #unreadBytes = 0;
  /** Tools read of the list. */
  #tools = 0;
  readonly #repeatable = new Set<string>();

  /** Whether the answers to a message are to be noted. */
  isNoted({ head }: Message): boolean {
    return head.method === "tools/list" || head.method === "initialize";
  }

  /** Notes an answer to a message that `isNoted`. */
  learn(asked: Message, said: Message): void {
    if (said.head.kind !== "response" || said.head.isError === true) return;
    const isStart = asked.head.method === "initialize";
    // A new session knows no list yet, and a first page begins a new one.
    if (isStart || asked.view(["params", "cursor"]) === undefined) this.#forget();
    if (isStart) return;
    this.#unread.push(said);
    this.#unreadBytes += said.bytes.length;
    if (this.#unreadBytes > unreadBytes) this.#readAll();
  }

  /** Notes what the server says by itself: a list that has changed promises nothing. */
  hear(said: Message): void {
    if (said.head.method === "notifications/tools/list_changed") this.#forget();
  }

  /** Whether executing the message twice does no harm. */
  isRepeatable(message: Message): boolean {
    const { kind, method } = message.head;
    if (kind === "notification") return method === "notifications/initialized";
    if (kind !== "request" || method === undefined) return false;
    if (method !== "tools/call") return isReading(method);
    this.#readAll();
    if (this.#repeatable.size === 0) return false;
    const { name } = message;
    return name !== undefined && this.#repeatable.has(name);
  }

  #forget(): void {
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#tools = 0;
    this.#repeatable.clear();
  }

  #readAll(): void {
    for (const page of this.#unread.splice(0))
      this.#note(page.bytes.length > unreadBytes ? scannedMarks(page) : parsedMarks(page));
    this.#unreadBytes = 0;
  }

  #note(marks: Iterable<Mark>): void {
    for (const { name, isRepeatable } of marks) {
      this.#tools++;
      if (this.#tools > maxTools) {
        this.#repeatable.clear();
        return;
      }
      if (typeof name !== "string" || name.length > maxNameLength) continue;
      if (isRepeatable) this.#repeatable.add(name);
      else this.#repeatable.delete(name);
    }
  }
}

/** What decides about repeating a tool (MCP 2025-03-26 server/tools, annotations). */
interface Mark {
  readonly name: unknown;
  readonly isRepeatable: boolean;
}

interface Tool {
  readonly name?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown; readonly idempotentHint?: unknown };
}

/** The native parser is fastest where the list is small. */
function* parsedMarks(page: Message): Generator<Mark> {
  const tools = page.value(["result", "tools"]);
  if (!Array.isArray(tools)) return;
  for (const tool of tools as (Tool | null)[]) {
    const { readOnlyHint, idempotentHint } = tool?.annotations ?? {};
    yield { name: tool?.name, isRepeatable: readOnlyHint === true || idempotentHint === true };
  }
}

/** What else a large list holds never becomes values. */
function* scannedMarks(page: Message): Generator<Mark> {
  const { bytes } = page;
  const tools = page.view(["result", "tools"]);
  if (tools === undefined || bytes[tools.start] !== 0x5b) return;
  for (const tool of children(bytes, tools)) {
    const holds = (hint: string) => isTrue(bytes, find(bytes, ["annotations", hint], tool));
    const name = find(bytes, ["name"], tool);
    yield {
      name:
        name && name.end - name.start <= 6 * maxNameLength + 2 ? valueAt(bytes, name) : undefined,
      isRepeatable: holds("readOnlyHint") || holds("idempotentHint"),
    };
  }
}

function isTrue(bytes: Uint8Array, span: Span | undefined): boolean {
  return span !== undefined && bytes[span.start] === 0x74;
}

function valueAt(bytes: Uint8Array, { start, end }: Span): unknown {
  return JSON.parse(decoder.decode(bytes.subarray(start, end)));
}
