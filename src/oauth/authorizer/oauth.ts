import { abortable } from "../../platform/async.ts";
import type { BridgeError } from "../../wire/errors.ts";
import { isMachineGrant } from "../client/machine-grants.ts";
import { planTokens, usesOwnRegistration } from "../client/token-request-plan.ts";
import type { OAuthContext } from "../core/context.ts";
import { type Grant, isExpired, joinScopes } from "../core/grant.ts";
import { signInRequired } from "../core/sign-in-required.ts";
import { mayPass } from "../core/transient.ts";
import { type BearerChallenge, bearerChallenge, schemesOf } from "../discovery/challenge.ts";
import type { CredentialStore } from "../store/store.ts";
import type { ConfiguredHeaders } from "./configured-headers.ts";
import { type TokenRefresher, usable } from "./refresh.ts";
import { refusalError } from "./refusal-error.ts";
import type { Authorizer, Refusal } from "./types.ts";

/** A token refused this soon after it was renewed is refused for itself, not for its age. */
const freshMs = 60_000;

/** Finding out whether the server has another authorization server takes no longer. */
const lookMs = 15_000;

export interface BearerDeps {
  readonly context: OAuthContext;
  readonly store: CredentialStore;
  readonly refresher: TokenRefresher;
  readonly headers: ConfiguredHeaders;
}

/** Authorizes with the OAuth grant of one server: renews it when it ends or is refused, and says when only a sign-in helps. */
export class OAuthAuthorizer implements Authorizer {
  readonly #deps: BearerDeps;
  /** Tokens that came because one before them was refused, and that the server has not taken yet. */
  readonly #refreshed = new Map<string, number>();
  /** What `known` made last. */
  #made: { grant: Grant; configured: object; headers: Record<string, string> } | undefined;
  /** What the last refusal asked for: where a sign-in during `run` begins. */
  challenge: BearerChallenge | undefined;
  /** The schemes that the last 401 named, in lower case. */
  schemes: readonly string[] = [];

  constructor(deps: BearerDeps) {
    this.#deps = deps;
  }

  known(): Readonly<Record<string, string>> | undefined {
    const { context, refresher, headers } = this.#deps;
    const grant = refresher.held;
    const configured = headers.known(context.server);
    // A proof of possession is made for each request.
    if (grant === undefined || configured === undefined || grant.tokenType === "DPoP") return;
    if (this.#made?.grant !== grant || this.#made.configured !== configured) {
      const all = { ...configured, Authorization: `${grant.tokenType} ${grant.accessToken}` };
      this.#made = { grant, configured, headers: all };
    }
    return this.#made.headers;
  }

  async headers(
    request: { readonly method: string; readonly url: URL },
    signal: AbortSignal,
  ): Promise<Record<string, string>> {
    const { server } = this.#deps.context;
    const configured = await abortable(this.#deps.headers.get(server), signal);
    const grant = await abortable(this.#valid(), signal);
    if (grant === undefined) return configured;
    const { accessToken, tokenType } = grant;
    const dpop = await this.#deps.refresher.dpopKey(grant);
    const proof =
      dpop && tokenType === "DPoP" ? { DPoP: await dpop.proof({ ...request, accessToken }) } : {};
    return { ...configured, ...proof, Authorization: `${tokenType} ${accessToken}` };
  }

  async refused(refusal: Refusal, signal: AbortSignal): Promise<boolean> {
    const challenge = bearerChallenge(refusal.wwwAuthenticate);
    const sent = tokenIn(refusal.sent);
    if (await this.#hasNewNonce(refusal)) return true;
    if (refusal.status === 403 && challenge?.error !== "insufficient_scope") {
      const hint = "the account may not do this: ask the server's operator for the permission";
      throw this.#error(refusal, hint);
    }
    this.challenge = challenge ?? this.challenge;
    if (refusal.status === 401) this.schemes = schemesOf(refusal.wwwAuthenticate);
    return refusal.status === 403
      ? abortable(this.#stepUp(refusal, challenge?.scope, sent), signal)
      : abortable(this.#refresh(refusal, challenge, sent), signal);
  }

  accepted(sent: Readonly<Record<string, string>>): void {
    if (this.#refreshed.size > 0) this.#refreshed.delete(tokenIn(sent) ?? "");
  }

  /** The grant with a token that is not used up; undefined: the request goes out without. */
  async #valid(): Promise<Grant | undefined> {
    const { refresher, context } = this.#deps;
    const grant = await refresher.current();
    if (grant === undefined || !isExpired(grant, context.now())) return grant;
    // The server's challenge says best where a machine gets its next token.
    if (isMachineGrant(context)) return undefined;
    try {
      return await refresher.refresh({ sent: grant.accessToken });
    } catch (error) {
      const isAlive = grant.expiresAt !== undefined && context.now() < grant.expiresAt;
      if (isAlive && mayPass(error)) return grant;
      throw error;
    }
  }

  async #refresh(
    refusal: Refusal,
    challenge: BearerChallenge | undefined,
    sent: string | undefined,
  ): Promise<boolean> {
    const { refresher, context } = this.#deps;
    const { now, login } = context;
    const renewedAt = sent === undefined ? undefined : this.#refreshed.get(sent);
    if (renewedAt !== undefined && now() - renewedAt < freshMs) {
      if (await refresher.adoptOther(sent)) return true;
      if (await this.#hasMoved(challenge))
        throw signInRequired(context, { what: "a sign-in at another authorization server" });
      throw this.#error(
        refusal,
        `the server refuses even a new token: run ${login}, or ask its operator`,
      );
    }
    const grant = await refresher.refresh({ sent, refused: { challenge } });
    if (grant === undefined || grant.accessToken === sent) throw signInRequired(context);
    this.#refreshed.clear();
    this.#refreshed.set(grant.accessToken, now());
    return true;
  }

  /** Whether the server names another authorization server than the grant's, and its person may be sent there. */
  async #hasMoved(challenge: BearerChallenge | undefined): Promise<boolean> {
    const { context, store } = this.#deps;
    if (!usesOwnRegistration(context.auth)) return false;
    const stored = await store.read();
    const signal = AbortSignal.timeout(lookMs);
    const plan = await planTokens(context, { stored, challenge, signal }).catch(() => undefined);
    if (plan?.issuerChange === undefined) return false;
    // The new one is asked for all that the old one granted.
    const wantedScope = joinScopes(stored.grant?.scope, stored.wantedScope);
    await store.update((now) => ({ ...now, ...(wantedScope !== undefined && { wantedScope }) }));
    return true;
  }

  /** The grant lacks a scope: a machine asks for more at once, a person by the next sign-in; the old token stays. */
  async #stepUp(
    refusal: Refusal,
    scope: string | undefined,
    sent: string | undefined,
  ): Promise<boolean> {
    const { store, refresher, context } = this.#deps;
    const needed = (scope ?? "").split(" ").filter((word) => word !== "");
    const covers = (other: string | undefined) => {
      const words = (other ?? "").split(" ");
      return needed.every((word) => words.includes(word));
    };
    const notGranted =
      "the authorization server does not grant the scope that the server asks for: ask its operator";
    if (await refresher.adoptOther(sent)) return true;
    const stored = await store.read();
    const grant = usable(stored);
    if (needed.length === 0 || covers(grant?.scope)) {
      throw this.#error(
        refusal,
        "the sign-in already covers the scope that the server asks for: ask its operator",
      );
    }
    if (covers(joinScopes(grant?.scope, stored.askedScope))) throw this.#error(refusal, notGranted);
    const wantedScope = joinScopes(joinScopes(grant?.scope, stored.wantedScope), scope);
    await store.update((now) => ({ ...now, ...(wantedScope !== undefined && { wantedScope }) }));
    if (!isMachineGrant(context))
      throw signInRequired(context, { what: "a sign-in with more permissions" });
    const wider = await refresher.refresh({ sent, refused: { challenge: this.challenge } });
    if (wider === undefined || !covers(wider.scope)) throw this.#error(refusal, notGranted);
    return true;
  }

  async #hasNewNonce({ sent: { DPoP }, dpopNonce }: Refusal): Promise<boolean> {
    if (dpopNonce === undefined || dpopNonce === null || DPoP === undefined) return false;
    const grant = await this.#deps.refresher.current();
    const key = grant && (await this.#deps.refresher.dpopKey(grant));
    return key?.learn(this.#deps.context.server.url, dpopNonce) ?? false;
  }

  #error(refusal: Refusal, hint: string): BridgeError {
    const { server, redactor } = this.#deps.context;
    return refusalError(refusal, server.name, hint, redactor);
  }
}

/** The token among the headers of a request. */
function tokenIn({ Authorization }: Readonly<Record<string, string>>): string | undefined {
  return /^(?:Bearer|DPoP) (.*)$/.exec(Authorization ?? "")?.[1];
}
