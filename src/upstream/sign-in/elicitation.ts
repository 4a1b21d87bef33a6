import type { Begun, PendingSignIn } from "../../oauth/sign-in/interactive-sign-in.ts";
import type { PausableTimeout } from "../../oauth/sign-in/pausable-timeout.ts";
import type { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { abortable } from "../../platform/async.ts";
import { notificationOf } from "../../wire/message.ts";
import type { Ask, CallContext, Deliver } from "../core/types.ts";
import * as words from "./messages.ts";

/**
 * Outcome of the prompt. "unattended": declined faster than a person can, so the client did not ask its user; "none":
 * the call that showed the prompt has ended, or the page can no longer be used.
 */
type Answer = "accept" | "decline" | "unattended" | "none";

interface QuestionOptions {
  readonly ask: Ask;
  readonly name: string;
  readonly signIns: Pick<RunSignIn, "decline">;
}

/** A decline within this time was not made by a person: Codex declines at once if it must not ask its user, or if the URL is not https. */
const fastestPersonMs = 1000;

/** Whether a prompt that was shown at `askedAt` (by `performance.now()`) can have been declined by a person. */
export function isPersonal(askedAt: number): boolean {
  return performance.now() - askedAt > fastestPersonMs;
}

/** The client's prompt that shows the page to its user; all waiting calls share one prompt. */
export class SignInQuestion {
  readonly #options: QuestionOptions;
  #open: Promise<Answer> | undefined;
  /** Id of the sign-in whose completion was reported to the client. */
  #told: string | undefined;

  constructor(options: QuestionOptions) {
    this.#options = options;
  }

  /**
   * Shows the page, unless it is being shown, and waits for the end of the sign-in or for the page that follows this
   * one; "unattended": the client did not ask its user. `signInTimeout` and the deadline of `call` are paused while the client asks. Rejects with the
   * signal's reason.
   */
  async settle(
    pending: PendingSignIn,
    deliver: Deliver,
    signal: AbortSignal,
    signInTimeout: PausableTimeout,
    call?: CallContext,
  ): Promise<Begun | "unattended"> {
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
    if (answer === "unattended") return answer;
    const result = await abortable(pending.done, signal);
    if (result === "signed-in" && this.#told !== pending.id) {
      this.#told = pending.id;
      const params = JSON.stringify({ elicitationId: pending.id });
      await deliver(notificationOf("notifications/elicitation/complete", params));
    }
    return result;
  }

  async #ask(pending: PendingSignIn, signal: AbortSignal): Promise<Answer> {
    const { ask, name, signIns } = this.#options;
    const request = { method: "elicitation/create", params: words.elicitation(name, pending) };
    const either = AbortSignal.any([signal, pending.gone]);
    const askedAt = performance.now();
    const isAccepted = await ask(request, either).then(
      (answer) => answer.value(["result", "action"]) === "accept",
      () => false,
    );
    if (isAccepted) return "accept";
    if (either.aborted) return "none";
    if (!isPersonal(askedAt)) return "unattended";
    await signIns.decline();
    return "decline";
  }
}
