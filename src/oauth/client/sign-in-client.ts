import type { OAuthContext } from "../core/context.ts";
import type { OAuthClient } from "../core/grant.ts";
import type { Issuer } from "../discovery/issuer.ts";
import type { CredentialStore } from "../store/store.ts";
import { configuredClient, isUsable, register } from "./registration.ts";

/**
 * The client of one sign-in. A registered client leaves the store while a sign-in uses it, and returns with the grant.
 * If the sign-in fails, is cancelled or killed, the next one registers a new client: the server may have lost this one.
 */
export class SignInClient {
  readonly #context: OAuthContext;
  readonly #store: CredentialStore;
  readonly #issuer: Issuer;
  readonly #scope: string | undefined;
  #registered: OAuthClient | undefined;
  /** The errors for which this sign-in has registered a new client. */
  readonly #renewedFor = new Set<string>();
  /** Whether a registration names the scope of the sign-in; some servers accept only one of the two. */
  #registersScope = true;

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

  /** The configured client, else one of an earlier sign-in that covers redirect URI and scope, else a new one. Throws a BridgeError. */
  async get(redirectUri: string, signal: AbortSignal): Promise<OAuthClient> {
    const configured = configuredClient(this.#context, this.#issuer);
    if (configured !== undefined) return configured;
    const request = { redirectUri, scope: this.#registersScope ? this.#scope : undefined };
    const isFit = (client: OAuthClient | undefined) =>
      client !== undefined && isUsable(client, request, this.#context);
    if (!isFit(this.#registered)) {
      const known = await this.#take();
      this.#registered = isFit(known)
        ? known
        : await register(this.#context, this.#issuer, request, signal);
    }
    return this.#registered!;
  }

  /**
   * Forgets the registered client after an error of the authorization server (RFC 6749 4.1.2.1, 5.2) that a new
   * registration may end: the client is unknown, or its registration names a scope that it should not, or names none.
   * False, and the client is kept, where a new registration does not help. Once for each error.
   */
  renew(error: unknown): boolean {
    const client = this.#registered;
    const isScope = error === "invalid_scope" && this.#scope !== undefined;
    if (client === undefined || !(error === "invalid_client" || isScope)) return false;
    if (this.#renewedFor.has(error)) return false;
    this.#renewedFor.add(error);
    if (isScope) this.#registersScope = client.scope === undefined;
    this.#registered = undefined;
    return true;
  }

  /** Returns the registered client to the store: this sign-in gives way to another one, so nothing is wrong with the client. */
  async putBack(): Promise<void> {
    const client = this.#registered;
    if (client === undefined) return;
    await this.#store.update((stored) => ({
      ...stored,
      clients: { ...stored.clients, [this.#issuer.issuer]: client },
    }));
  }

  /** Removes the client of this issuer from the store and resolves to it. */
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
