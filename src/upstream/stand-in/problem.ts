import { abortable, sleep } from "../../platform/async.ts";
import { asBridgeError, type BridgeError, type ErrorKind } from "../../wire/errors.ts";
import { type Message, responseTo } from "../../wire/message.ts";
import { toolsArrive, traitsOf } from "../core/client-traits.ts";
import type { CallContext, Deliver, Stop } from "../core/types.ts";
import { problemTool } from "./problem-tool.ts";
import { discoverAnswer, initializeAnswer, listAnswer, textResult } from "./results.ts";
import type { StandIn } from "./stand-in.ts";
import type { StartGuardOptions } from "./start-guard.ts";

interface ProblemOptions extends StartGuardOptions {
  readonly standIn: StandIn;
}

/** Failures that may end without anybody's help. */
const passing: readonly ErrorKind[] = [
  "dns",
  "connection-refused",
  "unreachable",
  "timeout",
  "server-error",
  "rate-limited",
];
/** First and longest pause between attempts in the background. */
const firstPauseMs = 5000;
const longestPauseMs = 300_000;

const closing: Stop = { by: "closing" };

/** A server whose start failed: one tool that tells the client why, until the server answers. */
export class Problem {
  readonly #options: ProblemOptions;
  #error: BridgeError | undefined;
  /** Name under which the tool was offered; undefined once the client has the server's own list. */
  #offered: string | undefined;
  /** The list that failed after the server had answered the handshake. */
  #list: Message | undefined;
  /** Whether the client has the server's own list of tools. */
  #isListed = false;
  #trying: Promise<void> | undefined;
  readonly #ended = new AbortController();

  constructor(options: ProblemOptions) {
    this.#options = options;
  }

  /** Answers a request of the client's start that failed. */
  async answer(message: Message, deliver: Deliver, failure: unknown): Promise<void> {
    const { standIn, name, log } = this.#options;
    this.#fail(failure);
    log.warn("start failed", { server: name, kind: this.#error!.kind, error: this.#error!.message });
    if (message.head.method === "tools/list") {
      if (!standIn.isActive) this.#list = message;
      return this.#offer(message, deliver);
    }
    standIn.isActive = true;
    const instructions = `Server "${name}" is not available: ${this.#text()}. The tool that it has instead tries again.`;
    const isSession = message.head.method === "initialize";
    await deliver((isSession ? initializeAnswer : discoverAnswer)(message, { name, instructions }));
    void this.#tryLater();
  }

  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const { standIn } = this.#options;
    const { kind, method } = message.head;
    standIn.note(message);
    const isCall = kind === "request" && method === "tools/call";
    if (isCall && this.#offered !== undefined && message.name === this.#offered)
      return this.#tryNow(message, deliver, signal);
    if (!standIn.isActive) return this.#pass(message, deliver, signal, call);
    if (kind !== "request") return;
    if (method === "ping") return deliver(responseTo(message.head.id!, "{}"));
    if (method === "tools/list") return this.#offer(message, deliver);
    if (method === "subscriptions/listen") return standIn.subscribe(message, deliver, signal);
    throw this.#error;
  }

  /** Ends the attempts in the background. */
  end(): void {
    this.#ended.abort(closing);
  }

  /** Sends a message to the server; a start that fails once more is answered like the first one. */
  async #pass(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { method } = message.head;
    const isOpening = method === "initialize" || method === "server/discover";
    const watched: Deliver = (incoming) => {
      const { kind, isError } = incoming.head;
      if (method === "tools/list" && kind === "response" && isError !== true) {
        this.#isListed = true;
        this.#offered = undefined;
      }
      return deliver(incoming);
    };
    try {
      await this.#options.next.send(message, watched, signal, call);
    } catch (error) {
      const isOfStart = isOpening || (method === "tools/list" && !this.#isListed);
      if (!isOfStart || signal.aborted) throw error;
      await this.answer(message, deliver, error);
    }
  }

  #fail(failure: unknown): void {
    this.#error = asBridgeError(failure);
  }

  /** The error with its hint, redacted. */
  #text(): string {
    const { redactor, commandLine } = this.#options;
    return redactor.shown(this.#error!.toJsonRpc(commandLine).message);
  }

  async #offer(message: Message, deliver: Deliver): Promise<void> {
    const { name, toolName, client } = this.#options;
    this.#offered ??= toolName();
    const description =
      `Server "${name}" has tools, but they are not available: ${this.#text()}. Tell the user. Calling this tool tries ` +
      `again; once that succeeds, ${toolsArrive(client)}.`;
    await deliver(listAnswer(message, problemTool(this.#offered, name, description)));
  }

  /** The tool is called: tries to start the server again, and says how that went. */
  async #tryNow(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { name, client, standIn } = this.#options;
    const answer = (text: string, error?: ErrorKind) =>
      deliver(responseTo(message.head.id!, textResult(message, text, error)));
    try {
      await abortable(this.#try(), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return answer(this.#text(), this.#error!.kind);
    }
    await answer(`Server "${name}" is available now: ${toolsArrive(client)}.`);
    await standIn.announce();
  }

  /** Starts the server; concurrent callers share one attempt. */
  #try(): Promise<void> {
    this.#trying ??= this.#attempt().finally(() => {
      this.#trying = undefined;
    });
    return this.#trying;
  }

  async #attempt(): Promise<void> {
    const { next, standIn } = this.#options;
    try {
      await standIn.connect();
      if (this.#list !== undefined) {
        await next.send(this.#list, async () => undefined, this.#ended.signal);
        this.#list = undefined;
      }
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  /** Tries again in the background as long as the failure may pass, for a client that lists the tools anew. */
  async #tryLater(): Promise<void> {
    const { client, standIn } = this.#options;
    const { signal } = this.#ended;
    if (traitsOf(client).restart !== undefined) return;
    for (let ms = firstPauseMs; !signal.aborted; ms = Math.min(ms * 2, longestPauseMs)) {
      if (!passing.includes(this.#error!.kind)) return;
      await sleep(ms, signal).catch(() => undefined);
      if (signal.aborted || !standIn.isActive) return;
      const failed = await this.#try().catch(() => true);
      if (failed === true) continue;
      return standIn.announce().catch(() => undefined);
    }
  }
}
