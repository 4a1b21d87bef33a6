import type { Message } from "../../wire/message.ts";
import type { ToolTable } from "../core/tool-table.ts";

/** Methods that only read, in both protocols, end so. */
const readingSuffixes = ["/list", "/read", "/get", "/discover", "/complete"];
const isReading = (method: string) =>
  method === "initialize" ||
  method === "ping" ||
  readingSuffixes.some((suffix) => method.endsWith(suffix));

/** Which messages may be executed twice: told by their method or, for tools, by the server's list. */
export class IdempotentTools {
  readonly #tools: ToolTable;

  constructor(tools: ToolTable) {
    this.#tools = tools;
  }

  /** Whether executing the message twice does no harm. */
  isRepeatable(message: Message): boolean {
    const { kind, method } = message.head;
    if (kind === "notification") return method === "notifications/initialized";
    if (kind !== "request" || method === undefined) return false;
    if (method !== "tools/call") return isReading(method);
    return this.#tools.isRepeatable(message);
  }
}
