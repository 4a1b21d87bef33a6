import type { Log } from "../../platform/log.ts";
import type { Message } from "../../wire/message.ts";
import { invalidTools, type ToolTable } from "../core/tool-table.ts";
import type { CallContext, Deliver, Upstream } from "../core/types.ts";

interface ToolListObserverOptions {
  readonly next: Upstream;
  readonly tools: ToolTable;
  /** Whether tools with invalid header annotations are left out, as the stateless protocol demands. */
  readonly leavesOutInvalid: boolean;
  readonly log: Log;
  readonly name: string;
}

/** Invalid tools of one list that get a log line each. */
const maxLogged = 20;

/** Feeds the server's one ToolTable with every list as it leaves the transport, before anybody filters it. */
export class ToolListObserver implements Upstream {
  readonly #options: ToolListObserverOptions;

  constructor(options: ToolListObserverOptions) {
    this.#options = options;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next, tools } = this.#options;
    const { method } = message.head;
    if (method !== "tools/list" && method !== "initialize")
      return next.send(message, this.#watched(deliver), signal, call);
    const take: Deliver = (answer) => {
      tools.learn(message, answer);
      return deliver(method === "tools/list" ? this.#offered(answer) : answer);
    };
    return next.send(message, this.#watched(take), signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(this.#watched(deliver), signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  #watched(deliver: Deliver): Deliver {
    const { tools } = this.#options;
    return (incoming) => {
      if (incoming.head.method === "notifications/tools/list_changed") tools.outdate();
      return deliver(incoming);
    };
  }

  #offered(answer: Message): Message {
    const { leavesOutInvalid, log, name } = this.#options;
    if (!leavesOutInvalid || answer.head.kind !== "response" || answer.head.isError === true)
      return answer;
    const invalid = invalidTools(answer);
    for (const { name: tool, reason } of invalid.slice(0, maxLogged))
      log.warn("invalid tool left out", { server: name, tool, reason });
    if (invalid.length > maxLogged)
      log.warn("invalid tools left out", { server: name, count: invalid.length });
    return answer.withElements(
      ["result", "tools"],
      new Map(invalid.map(({ index }) => [index, null])),
    );
  }
}
