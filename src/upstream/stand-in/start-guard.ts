import type { Message } from "../../wire/message.ts";
import { traitsOf } from "../core/client-traits.ts";
import type { CallContext, ClientFacts, Deliver, Upstream } from "../core/types.ts";
import type { Problem, ProblemOptions } from "./problem.ts";
import { refusedError, StandIn } from "./stand-in.ts";

/** What a client gets for a start that failed: the error, a stand-in with one tool, or whichever its user sees. */
export type OnFailure = "error" | "tool" | "auto";

interface StartGuardOptions extends Omit<ProblemOptions, "standIn"> {
  readonly onFailure: "tool" | "auto";
}

/** Whether the client gets a stand-in for a start that fails. */
export function hasStandIn(onFailure: OnFailure, client: ClientFacts): boolean {
  return (
    onFailure === "tool" || (onFailure === "auto" && traitsOf(client).hidesStartErrors === true)
  );
}

/** Answers with a stand-in of one tool if a client's start fails and its user would not see the error. */
export class StartGuard implements Upstream {
  readonly #options: StartGuardOptions;
  readonly #standIn: StandIn;
  /** Whether the client has the server's own list of tools: its start has succeeded. */
  #isListed = false;
  #problem: Problem | undefined;
  #notify: Deliver | undefined;

  constructor(options: StartGuardOptions) {
    this.#options = options;
    this.#standIn = new StandIn({
      ...options,
      notify: async (message) => this.#notify?.(message),
    });
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { next } = this.#options;
    if (this.#problem !== undefined) return this.#problem.send(message, deliver, signal, call);
    if (this.#isListed) return next.send(message, deliver, signal, call);
    this.#standIn.note(message);
    const { kind, method } = message.head;
    const isOfStart =
      method === "initialize" || method === "server/discover" || method === "tools/list";
    return kind === "request" && isOfStart
      ? this.#start(message, deliver, signal, call)
      : next.send(message, deliver, signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#notify = deliver;
    return this.#options.next.listen(deliver, signal);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#problem?.end();
    await this.#options.next.close(deadlineMs);
  }

  async #start(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next, name, onFailure, client } = this.#options;
    const { method } = message.head;
    let refusal: Message | undefined;
    let failure: unknown;
    const watched: Deliver = async (incoming) => {
      const { kind, isError } = incoming.head;
      if (kind === "response" && isError !== true) this.#isListed = method === "tools/list";
      // A server that answers initialize with an error did not start, either.
      if (kind === "response" && isError === true && method === "initialize") refusal = incoming;
      else await deliver(incoming);
    };
    try {
      await next.send(message, watched, signal, call);
      if (refusal === undefined) return;
      failure = refusedError(name, refusal);
    } catch (error) {
      failure = error;
    }
    if (!hasStandIn(onFailure, client) || signal.aborted) {
      if (refusal === undefined) throw failure;
      return deliver(refusal);
    }
    const { Problem } = await import("./problem.ts");
    this.#problem ??= new Problem({ ...this.#options, standIn: this.#standIn });
    await this.#problem.answer(message, deliver, failure);
  }
}
