import {
  type Begun,
  isPending,
  type PendingSignIn,
  type SignInResult,
} from "../../oauth/sign-in/interactive-sign-in.ts";
import { PausableTimeout } from "../../oauth/sign-in/pausable-timeout.ts";
import type { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { abortable } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import { metaKeys } from "../core/stateless-protocol.ts";
import type { Ask, CallContext, ClientFacts, Deliver } from "../core/types.ts";
import { textResult } from "../stand-in/results.ts";
import { isPersonal, SignInQuestion } from "./elicitation.ts";
import * as words from "./messages.ts";

/** A call of the client that is being handled. */
export interface Call {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  /** When the call arrived, by `performance.now()`. */
  readonly enteredAt: number;
  /** Whether the client speaks the stateless protocol, and so asks its user by itself. */
  readonly isStateless: boolean;
  readonly context: CallContext | undefined;
}

/** What follows a refusal: the call is sent again, or `result` (JSON text) answers it. */
export type Next = "again" | { readonly result: string };

interface CallSignInOptions {
  readonly ask: Ask;
  readonly client: ClientFacts;
  readonly name: string;
  /** The command that signs in, ready to copy. */
  readonly login: string;
  readonly signIns: RunSignIn;
  readonly mode: "elicit" | "browser";
}

/** Most sign-ins of one call: the first, one for a wider scope, one at a new authorization server. */
const maxSignIns = 3;

/** A sign-in whose prompt a stateless client shows to its user. */
interface Asked {
  readonly pending: PendingSignIn;
  readonly answered: Set<string>;
  /** When the prompt was returned, by `performance.now()`. */
  readonly at: number;
}

/** Lets the client's user sign in while calls wait, by the client's own prompt or in a browser. */
export class CallSignIn {
  readonly #options: CallSignInOptions;
  readonly #question: SignInQuestion;
  readonly #asked = new Map<string, Asked>();
  /** Id of the sign-in whose page was shown in a result: a repeated call waits for that sign-in without a prompt. */
  #shown: string | undefined;

  constructor(options: CallSignInOptions) {
    this.#options = options;
    this.#question = new SignInQuestion(options);
  }

  /** Begins the sign-ins of one call, which share the call's time limit. */
  async begin(call: Call, answered = new Set<string>()): Promise<CallRound> {
    const { signIns } = this.#options;
    const { server } = await signIns.context();
    return new CallRound(server.timeoutMs, call, answered, (refusal, round) =>
      call.isStateless && this.#options.mode === "elicit"
        ? this.#askStateless(refusal, round)
        : this.#signIn(refusal, round),
    );
  }

  /** Lets the user sign in while the call waits; rejects if nobody signs in within the call's time. */
  async #signIn(refusal: unknown, round: CallRound): Promise<Next> {
    const { mode, client, signIns } = this.#options;
    const { call, answered } = round;
    if (mode === "elicit" && !showsUrls(client.capabilities)) throw refusal;
    let pending: PendingSignIn | undefined;
    const atPage = async (begun: Begun): Promise<SignInResult | "unattended"> => {
      if (!isPending(begun)) return begun;
      pending = begun;
      answered.add(begun.need);
      if (mode === "browser" || this.#shown === begun.id)
        return atPage(await abortable(begun.done, round.signal));
      const result = await this.#question.settle(
        begun,
        call.deliver,
        round.signal,
        round.timeout,
        call.context,
      );
      if (result !== "unattended") return atPage(result);
      signIns.keep();
      return result;
    };
    const wait = () => signIns.during(round.signal, answered, atPage);
    const result = await wait().catch((error): "unattended" => {
      // The page can still be used, and the user may be signing in.
      const isLate = round.timeout.signal.aborted && !call.signal.aborted;
      if (isLate && pending !== undefined && this.#shown === pending.id) return "unattended";
      throw error;
    });
    if (result === "signed-in") return "again";
    if (result === "unattended" && pending !== undefined) return this.#showPage(pending, call);
    throw await this.#required(result);
  }

  /** Starts the browser sign-in for a request other than tools/call; resolves to whether the user signed in before `soon` aborted. */
  async isDone(call: Call, soon: AbortSignal): Promise<boolean> {
    using round = await this.begin(call);
    const signal = AbortSignal.any([round.signal, soon]);
    const atPage = async (begun: Begun): Promise<SignInResult> =>
      isPending(begun) ? atPage(await abortable(begun.done, signal)) : begun;
    const wait = this.#options.signIns.during(signal, round.answered, atPage);
    const result = await wait.catch((error) => {
      if (call.signal.aborted) throw error;
    });
    return result === "signed-in";
  }

  /** A stateless client asks its user itself and sends the call again (MCP 2026-07-28 basic/patterns/mrtr). */
  async #askStateless(refusal: unknown, round: CallRound): Promise<Next> {
    const { name, signIns } = this.#options;
    const { call, answered } = round;
    const capabilities = call.message.text(["params", "_meta", metaKeys.capabilities]) ?? "{}";
    if (!showsUrls(capabilities)) throw refusal;
    const begun = await signIns.during(round.signal, answered, async (begun): Promise<Begun> => {
      if (isPending(begun)) signIns.keep();
      if (!isPending(begun) || this.#shown !== begun.id) return begun;
      return abortable(begun.done, round.signal).catch(() => begun);
    });
    if (begun === "signed-in") return "again";
    if (!isPending(begun)) throw await this.#required(begun);
    if (this.#shown === begun.id) return this.#showPage(begun, call);
    answered.add(begun.need);
    this.#asked.set(begun.id, { pending: begun, answered, at: performance.now() });
    const params = { mode: "url", message: words.promptText(name, begun), url: begun.url.href };
    const result = {
      resultType: "input_required",
      inputRequests: { [words.inputKey]: { method: "elicitation/create", params } },
      requestState: `${words.inputKey}:${begun.id}`,
    };
    return { result: JSON.stringify(result) };
  }

  /**
   * Handles the user's answer to the prompt with this id. Resolves to a result for the client, or to the call without the
   * answer (`plain`), to be sent to the server, and the needs for which the user has signed in.
   */
  async resume(
    call: Call,
    id: string,
  ): Promise<
    { readonly result: string } | { readonly plain: Message; readonly answered: Set<string> }
  > {
    const { signIns } = this.#options;
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    const action = call.message.value(["params", "inputResponses", words.inputKey, "action"]);
    if (action !== "accept") {
      if (asked !== undefined && !isPersonal(asked.at) && !asked.pending.gone.aborted)
        return this.#showPage(asked.pending, call);
      await signIns.decline();
      const { declined } = await import("../../oauth/sign-in/interactive-sign-in.ts");
      throw await this.#required(declined());
    }
    const plain = call.message.with([
      { path: ["params", "inputResponses"], raw: null },
      { path: ["params", "requestState"], raw: null },
    ]);
    using round = await this.begin(call);
    await signIns.resume(id, round.signal);
    return { plain, answered: asked?.answered ?? new Set() };
  }

  #showPage(pending: PendingSignIn, { message }: Call) {
    this.#shown = pending.id;
    const { name, login } = this.#options;
    const text = words.repeatText(name, pending, login);
    return { result: textResult(message, text, "sign-in-required") };
  }

  async #required(cause: SignInResult | "unattended"): Promise<BridgeError> {
    const { signInRequired } = await import("../../oauth/core/sign-in-required.ts");
    const context = await this.#options.signIns.context();
    return signInRequired(context, cause instanceof BridgeError ? { cause } : {});
  }
}

/** The sign-ins of one call: at most three, within the call's time. */
class CallRound implements Disposable {
  readonly call: Call;
  /** The needs for which this call has seen a sign-in. */
  readonly answered: Set<string>;
  readonly timeout: PausableTimeout;
  readonly signal: AbortSignal;
  readonly #signIn: (refusal: unknown, round: CallRound) => Promise<Next>;
  #count = 0;

  constructor(
    timeoutMs: number,
    call: Call,
    answered: Set<string>,
    signIn: (refusal: unknown, round: CallRound) => Promise<Next>,
  ) {
    this.call = call;
    this.answered = answered;
    this.timeout = new PausableTimeout(
      timeoutMs,
      call.enteredAt,
      new Error("the call's time is over"),
    );
    this.signal = AbortSignal.any([call.signal, this.timeout.signal]);
    this.#signIn = signIn;
  }

  /** Lets the user sign in after this refusal. Rejects with the refusal after the call's last sign-in, or when its time is over. */
  async next(refusal: unknown): Promise<Next> {
    if (this.#count++ === maxSignIns || this.answered.size >= maxSignIns) throw refusal;
    try {
      return await this.#signIn(refusal, this);
    } catch (error) {
      throw this.timeout.signal.aborted && !this.call.signal.aborted ? refusal : error;
    }
  }

  [Symbol.dispose](): void {
    this.timeout[Symbol.dispose]();
  }
}

/** Whether a client's capabilities say that it shows URLs (MCP 2025-11-25 client/elicitation). */
function showsUrls(capabilities: string): boolean {
  const parsed = JSON.parse(capabilities) as { elicitation?: { url?: unknown } };
  return parsed.elicitation?.url !== undefined;
}
