import { abortable } from "../../platform/async.ts";
import type { BridgeError } from "../../wire/errors.ts";
import type { OAuth } from "../authorizer/open.ts";
import { isOAuthCertain, type OAuthContext } from "../core/context.ts";
import type { Begun, InteractiveSignIn } from "./interactive-sign-in.ts";

/** Finding out whether a server has a sign-in takes no longer. */
const lookMs = 30_000;

/** Signs in while a call of a running bridge waits; one prompt at a time. Its modules are loaded when a sign-in is wanted. */
export class RunSignIn {
  readonly #oauth: () => Promise<OAuth>;
  readonly #opensBrowser: boolean;
  #signIn: InteractiveSignIn | undefined;
  #lastFailure: BridgeError | undefined;
  #noSignIn: Promise<BridgeError | undefined> | undefined;
  /** Called at the end of each sign-in by which the user is signed in. */
  onSignedIn: (() => void) | undefined;

  /** `opensBrowser`: as `--sign-in browser` says. */
  constructor(oauth: () => Promise<OAuth>, { opensBrowser }: { opensBrowser: boolean }) {
    this.#oauth = oauth;
    this.#opensBrowser = opensBrowser;
  }

  /**
   * The error for a server that has no sign-in at all; undefined where somebody can sign in, and where that is not
   * known when the signal aborts.
   */
  async noSignIn(signal: AbortSignal): Promise<BridgeError | undefined> {
    if (this.#noSignIn === undefined) {
      const looking = this.#lookForSignIn();
      this.#noSignIn = looking;
      looking.catch(() => {
        this.#noSignIn = undefined;
      });
    }
    return abortable(this.#noSignIn, signal).catch(() => undefined);
  }

  async #lookForSignIn(): Promise<BridgeError | undefined> {
    const { context, store, authorizer } = await this.#oauth();
    if (isOAuthCertain(context, authorizer.challenge)) return undefined;
    const { grant, clients } = await store.read();
    if (grant !== undefined || clients !== undefined) return undefined;
    const { noSignIn } = await import("./availability.ts");
    return noSignIn(context, authorizer, AbortSignal.timeout(lookMs));
  }

  /** Why the last sign-in failed; undefined where none did, or one has succeeded since. */
  get lastFailure(): BridgeError | undefined {
    return this.#lastFailure;
  }

  /**
   * Begins a sign-in, or joins the one that is under way, while `work` waits for it: it ends with the last that
   * leaves. Waits for the prompt of another process. `answered`: the needs for which the caller has seen a sign-in.
   */
  async during<T>(
    signal: AbortSignal,
    answered: ReadonlySet<string>,
    work: (begun: Begun) => Promise<T>,
  ): Promise<T> {
    const { InteractiveSignIn } = await import("./interactive-sign-in.ts");
    const oauth = await this.#oauth();
    if (this.#signIn?.isOver !== false) {
      const opensBrowser = this.#opensBrowser;
      this.#signIn = new InteractiveSignIn(oauth, { opensBrowser, answered });
      void this.#signIn.done.then((result) => {
        this.#lastFailure = result === "signed-in" ? undefined : result;
        if (result === "signed-in") this.onSignedIn?.();
      });
    }
    return this.#signIn.join(signal, work);
  }

  /** The sign-in that is under way stands for its ten minutes although no call waits. */
  keep(): void {
    this.#signIn?.keep();
  }

  /** Waits for the end of the sign-in of that id, where it is still under way. */
  async resume(id: string, signal: AbortSignal): Promise<void> {
    const signIn = this.#signIn;
    if (signIn?.id === id && !signIn.isOver) await signIn.ended(signal);
  }

  /** The person does not want to: nobody is asked again for 5 minutes. */
  async decline(): Promise<void> {
    const { store, context } = await this.#oauth();
    const { declined } = await import("./interactive-sign-in.ts");
    try {
      await store.update((stored) => ({ ...stored, declinedAt: context.now() }));
    } finally {
      this.#signIn?.end(declined());
    }
  }

  /** The server's entry, and what belongs to it. */
  async context(): Promise<OAuthContext> {
    return (await this.#oauth()).context;
  }
}
