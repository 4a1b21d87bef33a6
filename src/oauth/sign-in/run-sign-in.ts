import type { OAuth } from "../authorizer/open.ts";
import type { OAuthContext } from "../core/context.ts";
import type { Begun, InteractiveSignIn } from "./interactive-sign-in.ts";

/** Signs in while a call of a running bridge waits; one prompt at a time. What it takes is loaded when it is wanted. */
export class RunSignIn {
  readonly #oauth: () => Promise<OAuth>;
  readonly #opensBrowser: boolean;
  #signIn: InteractiveSignIn | undefined;

  /** `opensBrowser`: as `--sign-in browser` says. */
  constructor(oauth: () => Promise<OAuth>, { opensBrowser }: { opensBrowser: boolean }) {
    this.#oauth = oauth;
    this.#opensBrowser = opensBrowser;
  }

  /**
   * Begins a sign-in, or joins the one that is under way, while `work` waits for it: it ends with the last that
   * leaves. Waits for the prompt of another process. "impossible": declined lately, or no way to sign in; the
   * log says why.
   */
  during<T>(signal: AbortSignal, work: (begun: Begun) => Promise<T>): Promise<T> {
    return this.#join(signal, work, false);
  }

  /** The same for a page that is given to somebody who does not wait for its end: it stands for 10 minutes. */
  begin(signal: AbortSignal): Promise<Begun> {
    return this.#join(signal, async (begun) => begun, true);
  }

  /** Waits for the end of the sign-in of that id, where it is still under way. */
  async resume(id: string, signal: AbortSignal): Promise<void> {
    const signIn = this.#signIn;
    if (signIn?.id === id && !signIn.isOver) await signIn.ended(signal);
  }

  /** The person does not want to: nobody is asked again for 5 minutes. */
  async decline(): Promise<void> {
    const { store, context } = await this.#oauth();
    try {
      await store.update((stored) => ({ ...stored, declinedAt: context.now() }));
    } finally {
      this.#signIn?.end("declined");
    }
  }

  /** The server's entry, and what belongs to it. */
  async context(): Promise<OAuthContext> {
    return (await this.#oauth()).context;
  }

  async #join<T>(signal: AbortSignal, work: (begun: Begun) => Promise<T>, isKept: boolean) {
    const { InteractiveSignIn } = await import("./interactive-sign-in.ts");
    const oauth = await this.#oauth();
    if (this.#signIn?.isOver !== false)
      this.#signIn = new InteractiveSignIn(oauth, this.#opensBrowser);
    return this.#signIn.join(signal, work, isKept);
  }
}
