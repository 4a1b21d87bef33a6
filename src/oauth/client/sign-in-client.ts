import type { OAuthContext } from "../core/context.ts";
import type { OAuthClient } from "../core/grant.ts";
import type { Issuer } from "../discovery/issuer.ts";
import type { CredentialStore } from "../store/store.ts";
import { configuredClient, isUsable, register } from "./registration.ts";

/**
 * The client of one sign-in. A registered client is out of the store while a sign-in tries it, and comes back with
 * the grant: where the sign-in fails, is broken off or killed, the next one registers anew, so that a client that
 * the server has lost or never took is no dead end.
 */
export class SignInClient {
  readonly #context: OAuthContext;
  readonly #store: CredentialStore;
  readonly #issuer: Issuer;
  readonly #scope: string | undefined;
  #registered: OAuthClient | undefined;

  constructor(
    context: OAuthContext,
    store: CredentialStore,
    issuer: Issuer,
    scope: string | undefined,
  ) {
    this.#context = context;
    this.#store = store;
    this.#issuer = issuer;
    this.#scope = scope;
  }

  /** The configured client, else the one of an earlier sign-in for this redirect URI, else one registered now. Throws a BridgeError. */
  async get(redirectUri: string, signal: AbortSignal): Promise<OAuthClient> {
    const configured = configuredClient(this.#context, this.#issuer);
    if (configured !== undefined) return configured;
    const request = { redirectUri, scope: this.#scope };
    const now = this.#context.now();
    const isHeld = this.#registered !== undefined && isUsable(this.#registered, request, now);
    if (!isHeld) {
      const known = await this.#take();
      this.#registered =
        known !== undefined && isUsable(known, request, now)
          ? known
          : await register(this.#context, this.#issuer, request, signal);
    }
    return this.#registered!;
  }

  /** Drops the registered client: the authorization server refused it. */
  drop(): void {
    this.#registered = undefined;
  }

  /** Puts the registered client into the store for the next sign-in: this one gives way, which says nothing of the client. */
  async putBack(): Promise<void> {
    const client = this.#registered;
    if (client === undefined) return;
    await this.#store.update((stored) => ({
      ...stored,
      clients: { ...stored.clients, [this.#issuer.issuer]: client },
    }));
  }

  /** Takes the client of this issuer out of the store. */
  async #take(): Promise<OAuthClient | undefined> {
    const { issuer } = this.#issuer;
    const known = (await this.#store.read()).clients?.[issuer];
    if (known === undefined) return undefined;
    await this.#store.update(({ clients: { [issuer]: _, ...clients } = {}, ...stored }) => ({
      ...stored,
      clients,
    }));
    return known;
  }
}
