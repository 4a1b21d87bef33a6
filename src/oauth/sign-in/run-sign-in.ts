import { abortable } from "../../platform/async.ts";
import type { BridgeError } from "../../wire/errors.ts";
import type { OAuth } from "../authorizer/open.ts";
import { isOAuthCertain, type OAuthContext } from "../core/context.ts";
import type { Begun, InteractiveOptions, InteractiveSignIn } from "./interactive-sign-in.ts";

/** Time limit for finding out whether a server offers a sign-in. */
const discoveryTimeoutMs = 30_000;

/** The sign-ins of a running bridge, one at a time. Loads their modules when the first one begins. */
export class RunSignIn {
  readonly #oauth: () => Promise<OAuth>;
  readonly #options: Pick<InteractiveOptions, "opensBrowser" | "waitMs">;
  #signIn: InteractiveSignIn | undefined;
  #lastFailure: BridgeError | undefined;
  #noSignIn: Promise<BridgeError | undefined> | undefined;
  /** Called at the end of each sign-in that succeeded. */
  onSignedIn: (() => void) | undefined;

  constructor(
    oauth: () => Promise<OAuth>,
    options: Pick<InteractiveOptions, "opensBrowser" | "waitMs">,
  ) {
    this.#oauth = oauth;
    this.#options = options;
  }

  /**
   * The error for a server that offers no sign-in; undefined if it offers one, or if that is not known when the signal
   * aborts.
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
    return noSignIn(context, authorizer, AbortSignal.timeout(discoveryTimeoutMs));
  }

  /** Why the last sign-in failed; undefined if it succeeded, or if there was none. */
  get lastFailure(): BridgeError | undefined {
    return this.#lastFailure;
  }

  /**
   * Starts a sign-in or joins the running one, and runs `work`. When its last caller leaves, the sign-in ends, unless
   * keep() was called. Waits while another process shows a prompt. `answered`: the needs (PendingSignIn.need) for which
   * the caller has already seen a sign-in.
   */
  async during<T>(
    signal: AbortSignal,
    answered: ReadonlySet<string>,
    work: (begun: Begun) => Promise<T>,
  ): Promise<T> {
    const { InteractiveSignIn } = await import("./interactive-sign-in.ts");
    const oauth = await this.#oauth();
    if (this.#signIn?.isOver !== false) {
      this.#signIn = new InteractiveSignIn(oauth, { ...this.#options, answered });
      void this.#signIn.done.then((result) => {
        this.#lastFailure = result === "signed-in" ? undefined : result;
        if (result === "signed-in") this.onSignedIn?.();
      });
    }
    return this.#signIn.join(signal, work);
  }

  /** Keeps the running sign-in open for its ten minutes even if no call waits. */
  keep(): void {
    this.#signIn?.keep();
  }

  /** Waits for the end of the sign-in with this id, if it still runs. */
  async resume(id: string, signal: AbortSignal): Promise<void> {
    const signIn = this.#signIn;
    if (signIn?.id === id && !signIn.isOver) await signIn.ended(signal);
  }

  /** Records that the user declined: no sign-in is offered for the next 5 minutes. */
  async decline(): Promise<void> {
    const { store, context } = await this.#oauth();
    const { declined } = await import("./interactive-sign-in.ts");
    try {
      await store.update((stored) => ({ ...stored, declinedAt: context.now() }));
    } finally {
      this.#signIn?.end(declined());
    }
  }

  /** The OAuth context of the server. */
  async context(): Promise<OAuthContext> {
    return (await this.#oauth()).context;
  }
}
