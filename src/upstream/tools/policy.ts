import type { ToolRules } from "../../config/settings.ts";
import type { Log } from "../../platform/log.ts";
import { BridgeError, type CommandLine } from "../../wire/errors.ts";
import { errorTo, type Message } from "../../wire/message.ts";
import { children } from "../../wire/spans.ts";
import { cleanText } from "../../wire/text.ts";
import type { CallContext, Deliver, Upstream } from "../core/types.ts";
import { sendParts } from "../transport/split-batch.ts";
import { NameRules } from "./name-rules.ts";
import { calledTool, isAmbiguous, onlyString } from "./named-tool.ts";

interface ToolPolicyOptions {
  readonly next: Upstream;
  readonly rules: ToolRules;
  readonly log: Log;
  readonly name: string;
  readonly commandLine: CommandLine;
}

const listPath = ["result", "tools"];

/** Leaves tools out of every list, live or cached, and refuses calls of them before they are sent. */
export class ToolPolicy implements Upstream {
  readonly #options: ToolPolicyOptions;
  readonly #names: NameRules;

  constructor(options: ToolPolicyOptions) {
    this.#options = options;
    this.#names = new NameRules(options.rules);
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next, log } = this.#options;
    const { kind, method } = message.head;
    if (kind === "batch") return this.#sendBatch(message, deliver, signal, call);
    const refusal = this.#refusalOf(message);
    if (refusal !== undefined) {
      if (kind === "request") throw refusal;
      // Nobody answers a notification.
      log.warn("notification dropped", { error: refusal.message });
      return;
    }
    const isList = kind === "request" && method === "tools/list";
    const take: Deliver = isList ? (incoming) => deliver(this.#allowed(incoming)) : deliver;
    await next.send(message, take, signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  /** Sends the parts of a batch one by one, so that each is judged. */
  async #sendBatch(batch: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    await sendParts(batch, async (part) => {
      const refusal = this.#refusalOf(part);
      if (refusal === undefined || part.head.kind !== "request")
        return this.send(part, deliver, signal, call);
      await deliver(errorTo(part.head.id!, refusal.toJsonRpc(this.#options.commandLine)));
    });
  }

  #refusalOf(message: Message): BridgeError | undefined {
    const { name } = this.#options;
    const isCall = message.head.method === "tools/call";
    const tool = isCall ? calledTool(message) : undefined;
    if (isAmbiguous(message) || (isCall && tool === undefined))
      return new BridgeError("refused", `"${name}" could take the message for another one`, {
        hint: "write each key once and in its own letters: the server has rules for tools",
      });
    if (tool === undefined || this.#names.isAllowed(tool)) return undefined;
    return new BridgeError(
      "refused",
      `tool "${cleanText(tool, 100)}" of server "${name}" is not allowed`,
      { hint: '"tools" in the configuration of the server excludes it' },
    );
  }

  /** A tools/list response without the tools that are not allowed. */
  #allowed(response: Message): Message {
    const { head, bytes } = response;
    const list = head.kind === "response" ? response.view(listPath) : undefined;
    if (list === undefined) return response;
    const left = new Map<number, null>();
    let index = 0;
    for (const tool of children(bytes, list)) {
      const name = onlyString(bytes, tool, "name");
      if (name === undefined || !this.#names.isAllowed(name)) left.set(index, null);
      index++;
    }
    return response.withElements(listPath, left);
  }
}
