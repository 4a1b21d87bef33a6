import { abortable, sleep } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import {
  asBridgeError,
  type BridgeError,
  type CommandLine,
  type ErrorKind,
} from "../../wire/errors.ts";
import { type Message, responseTo } from "../../wire/message.ts";
import { traitsOf } from "../core/client-traits.ts";
import type { CallContext, ClientFacts, Deliver, Stop, Upstream } from "../core/types.ts";
import { type Problems, problemsFor } from "./problem-tool.ts";
import { discoverAnswer, initializeAnswer, listAnswer } from "./results.ts";
import type { StandIn } from "./stand-in.ts";

export interface ProblemOptions {
  readonly next: Upstream;
  /** Name of the server's entry. */
  readonly name: string;
  /** Name of the stand-in's tool. */
  readonly toolName: () => string;
  readonly client: ClientFacts;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly commandLine: CommandLine;
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
  readonly #problems: Problems;
  #error: BridgeError | undefined;
  /** Name under which the tool was offered; undefined if it was not, or if the server has that tool. */
  #offered: string | undefined;
  /** The list that failed after the server had answered the handshake. */
  #list: Message | undefined;
  /** Whether the client has the server's own list of tools. */
  #isListed = false;
  #trying: Promise<void> | undefined;
  readonly #ended = new AbortController();

  constructor(options: ProblemOptions) {
    this.#options = options;
    const { client, redactor, commandLine } = options;
    this.#problems = problemsFor(client, redactor, commandLine);
  }

  /** Answers a request of the client's start that failed. */
  async answer(message: Message, deliver: Deliver, failure: unknown): Promise<void> {
    const { standIn, name, log } = this.#options;
    this.#fail(failure);
    log.warn("start failed", {
      server: name,
      kind: this.#error!.kind,
      error: this.#error!.message,
    });
    if (message.head.method === "tools/list") {
      if (!standIn.isActive) this.#list = message;
      return this.#offer(message, deliver);
    }
    standIn.isActive = true;
    const instructions = `Server "${name}" could not start: ${this.#problems.text(this.#error!)}. The one tool that it offers tries again.`;
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
        const { buffer, byteOffset, length } = incoming.bytes;
        const list = Buffer.from(buffer, byteOffset, length);
        // A model may still have the old list: its call is answered, unless the name is the server's now.
        if (list.includes(JSON.stringify(this.#offered ?? ""))) this.#offered = undefined;
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

  async #offer(message: Message, deliver: Deliver): Promise<void> {
    const { name, toolName } = this.#options;
    this.#offered ??= toolName();
    await deliver(listAnswer(message, this.#problems.tool(this.#offered, name, this.#error!)));
  }

  /** The tool is called: tries to start the server again, and says how that went. */
  async #tryNow(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { name, standIn } = this.#options;
    const answer = (result: string) => deliver(responseTo(message.head.id!, result));
    try {
      await abortable(this.#try(), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return answer(this.#problems.stillAway(message, this.#error!));
    }
    await answer(this.#problems.available(message, name));
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
