import type { Message } from "../../wire/message.ts";
import type { ToolTable } from "../core/tool-table.ts";

/** Suffixes of the methods that only read, in both protocols. */
const readingSuffixes = ["/list", "/read", "/get", "/discover", "/complete"];
const isReading = (method: string) =>
  method === "initialize" ||
  method === "ping" ||
  readingSuffixes.some((suffix) => method.endsWith(suffix));

/** Decides which messages may be executed twice: by their method or, for tools, by the server's annotations. */
export class IdempotentTools {
  readonly #tools: ToolTable;

  constructor(tools: ToolTable) {
    this.#tools = tools;
  }

  /** Whether it does no harm if the server executes the message twice. */
  isRepeatable(message: Message): boolean {
    const { kind, method } = message.head;
    if (kind === "notification") return method === "notifications/initialized";
    if (kind !== "request" || method === undefined) return false;
    if (method !== "tools/call") return isReading(method);
    return this.#tools.isRepeatable(message);
  }
}
