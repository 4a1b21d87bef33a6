import type { Message } from "../wire/message.ts";

/** What decides about repeating a tool (MCP 2025-03-26 server/tools, annotations). */
interface Tool {
  readonly name?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown; readonly idempotentHint?: unknown };
}

/** Methods that only read, in both eras: lists, reads and the like. */
const reading = /^initialize$|^ping$|\/(list|read|get|discover|complete)$/;

/** Which messages may be executed twice, told by their method or, for tools, by the list that the server gave in this run. */
export class Hints {
  /** Answers to tools/list that were not looked into yet: most runs never need to know. */
  #unread: Message[] = [];
  readonly #repeatable = new Set<string>();

  /** Whether the answers to a message are to be noted. */
  isList({ head }: Message): boolean {
    return head.method === "tools/list";
  }

  /** Notes an answer to a tools/list. */
  learn(asked: Message, said: Message): void {
    if (said.head.kind !== "response" || said.head.isError === true) return;
    // A first page begins a new list.
    if (asked.view(["params", "cursor"]) === undefined) this.#forget();
    this.#unread.push(said);
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
    if (method !== "tools/call") return reading.test(method);
    for (const page of this.#unread.splice(0)) this.#read(page);
    const { name } = message;
    return name !== undefined && this.#repeatable.has(name);
  }

  #forget(): void {
    this.#unread = [];
    this.#repeatable.clear();
  }

  #read(page: Message): void {
    const tools = page.value(["result", "tools"]);
    if (!Array.isArray(tools)) return;
    for (const { name, annotations } of tools.map((tool: Tool | null) => tool ?? {}) as Tool[]) {
      const isRepeatable =
        annotations?.readOnlyHint === true || annotations?.idempotentHint === true;
      if (typeof name !== "string") continue;
      if (isRepeatable) this.#repeatable.add(name);
      else this.#repeatable.delete(name);
    }
  }
}
