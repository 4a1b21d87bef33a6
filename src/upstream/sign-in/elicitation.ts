import type { PendingSignIn } from "../../oauth/sign-in/interactive-sign-in.ts";
import type { PausableTimeout } from "../../oauth/sign-in/pausable-timeout.ts";
import type { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { abortable } from "../../platform/async.ts";
import { notificationOf } from "../../wire/message.ts";
import type { Ask, CallContext, Deliver } from "../core/types.ts";
import * as words from "./messages.ts";

/** What came of the question: "none" where whoever asked it has left, or the page is gone. */
type Answer = "accept" | "decline" | "none";

interface QuestionOptions {
  readonly ask: Ask;
  readonly name: string;
  readonly signIns: Pick<RunSignIn, "decline">;
}

/** The client's own prompt that shows its user the page; one for all calls that wait. */
export class SignInQuestion {
  readonly #options: QuestionOptions;
  #open: Promise<Answer> | undefined;
  /** The sign-in whose end the client was told of. */
  #told: string | undefined;

  constructor(options: QuestionOptions) {
    this.#options = options;
  }

  /**
   * Shows the page, unless it is being shown, and waits; resolves to whether the user signed in. `signInTimeout`
   * and the deadline of `call` stand still while the client asks. Rejects with the signal's reason.
   */
  async settle(
    pending: PendingSignIn,
    deliver: Deliver,
    signal: AbortSignal,
    signInTimeout: PausableTimeout,
    call?: CallContext,
  ): Promise<boolean> {
    let answer: Answer = "none";
    signInTimeout.pause();
    const resume = call?.pause();
    while (answer === "none" && !pending.gone.aborted) {
      this.#open ??= this.#ask(pending, signal).finally(() => {
        this.#open = undefined;
      });
      answer = await abortable(this.#open, signal);
    }
    signInTimeout.resume();
    resume?.();
    if (!(await abortable(pending.done, signal))) return false;
    if (this.#told !== pending.id) {
      this.#told = pending.id;
      const params = JSON.stringify({ elicitationId: pending.id });
      await deliver(notificationOf("notifications/elicitation/complete", params));
    }
    return true;
  }

  async #ask(pending: PendingSignIn, signal: AbortSignal): Promise<Answer> {
    const { ask, name, signIns } = this.#options;
    const request = { method: "elicitation/create", params: words.elicitation(name, pending) };
    const either = AbortSignal.any([signal, pending.gone]);
    const isAccepted = await ask(request, either).then(
      (answer) => answer.value(["result", "action"]) === "accept",
      () => false,
    );
    if (isAccepted) return "accept";
    if (either.aborted) return "none";
    await signIns.decline();
    return "decline";
  }
}
