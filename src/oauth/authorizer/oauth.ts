import { abortable } from "../../platform/async.ts";
import type { BridgeError } from "../../wire/errors.ts";
import { isMachineGrant } from "../client/machine-grants.ts";
import { planTokens, usesOwnRegistration } from "../client/token-request-plan.ts";
import type { OAuthContext } from "../core/context.ts";
import { type Grant, isExpired, joinScopes } from "../core/grant.ts";
import { signInRequired } from "../core/sign-in-required.ts";
import { isTransient } from "../core/transient.ts";
import { type BearerChallenge, bearerChallenge, schemesOf } from "../discovery/challenge.ts";
import type { CredentialStore } from "../store/store.ts";
import type { ConfiguredHeaders } from "./configured-headers.ts";
import { type TokenRefresher, usable } from "./refresh.ts";
import { refusalError } from "./refusal-error.ts";
import type { Authorizer, Refusal } from "./types.ts";

/** A token that is refused this soon after its refresh has not expired: another refresh would not help. */
const freshMs = 60_000;

/** Time limit for finding out whether the server has changed its authorization server. */
const discoveryTimeoutMs = 15_000;

export interface BearerDeps {
  readonly context: OAuthContext;
  readonly store: CredentialStore;
  readonly refresher: TokenRefresher;
  readonly headers: ConfiguredHeaders;
}

/** Authorizes with the OAuth grant of one server: refreshes the access token when it expires or is refused, and throws `sign-in-required` when only a sign-in helps. */
export class OAuthAuthorizer implements Authorizer {
  readonly #deps: BearerDeps;
  /** Tokens that replaced a refused token and that the server has not accepted yet, with the time of their refresh. */
  readonly #refreshed = new Map<string, number>();
  /** The last result of known(), and the grant and headers that it was made from. */
  #made: { grant: Grant; configured: object; headers: Record<string, string> } | undefined;
  /** The challenge of the last refusal; a sign-in during `run` starts from it. */
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
    // A DPoP proof is valid for one request only, so these headers cannot be reused.
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
    const isNarrow = challenge?.error === "insufficient_scope";
    if (refusal.status === 403 && !isNarrow) {
      const hint = "the account may not do this: ask the server's operator for the permission";
      throw this.#error(refusal, hint);
    }
    this.challenge = challenge ?? this.challenge;
    if (refusal.status === 401) this.schemes = schemesOf(refusal.wwwAuthenticate);
    // RFC 6750 3.1 wants 403. A server that answers 401 and names a scope that was not granted means the token that it got.
    const isStepUp =
      isNarrow && sent !== undefined && !(await this.#isGranted(challenge.scope ?? ""));
    return refusal.status === 403 || isStepUp
      ? abortable(this.#stepUp(refusal, challenge?.scope, sent), signal)
      : abortable(this.#refresh(refusal, challenge, sent), signal);
  }

  accepted(sent: Readonly<Record<string, string>>): void {
    if (this.#refreshed.size > 0) this.#refreshed.delete(tokenIn(sent) ?? "");
  }

  /** The grant with a token that has not expired; undefined: the request is sent without a token. */
  async #valid(): Promise<Grant | undefined> {
    const { refresher, context } = this.#deps;
    const grant = await refresher.current();
    if (grant === undefined || !isExpired(grant, context.now())) return grant;
    // A machine grant requests its next token after the refusal, because the challenge names the authorization server.
    if (isMachineGrant(context)) return undefined;
    try {
      return await refresher.refresh({ sent: grant.accessToken });
    } catch (error) {
      const isAlive = grant.expiresAt !== undefined && context.now() < grant.expiresAt;
      if (isAlive && isTransient(error)) return grant;
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

  /** Whether the server names another authorization server than the grant's, and the user may sign in there. */
  async #hasMoved(challenge: BearerChallenge | undefined): Promise<boolean> {
    const { context, store } = this.#deps;
    if (!usesOwnRegistration(context.auth)) return false;
    const stored = await store.read();
    const signal = AbortSignal.timeout(discoveryTimeoutMs);
    const plan = await planTokens(context, { stored, challenge, signal }).catch(() => undefined);
    if (plan?.issuerChange === undefined) return false;
    // The sign-in at the new authorization server requests every scope that the old one granted.
    const wantedScope = joinScopes(stored.grant?.scope, stored.wantedScope);
    await store.update((now) => ({ ...now, ...(wantedScope !== undefined && { wantedScope }) }));
    return true;
  }

  async #isGranted(scope: string): Promise<boolean> {
    return covers(usable(await this.#deps.store.read())?.scope, scope);
  }

  /** Handles a missing scope: a machine grant requests it at once, an interactive grant at the next sign-in. The present token is kept. */
  async #stepUp(
    refusal: Refusal,
    scope: string | undefined,
    sent: string | undefined,
  ): Promise<boolean> {
    const { store, refresher, context } = this.#deps;
    const needed = scope ?? "";
    const notGranted =
      "the authorization server does not grant the scope that the server asks for: ask its operator";
    if (await refresher.adoptOther(sent)) return true;
    const stored = await store.read();
    const grant = usable(stored);
    if (covers(grant?.scope, needed)) {
      throw this.#error(
        refusal,
        "the sign-in already covers the scope that the server asks for: ask its operator",
      );
    }
    if (covers(joinScopes(grant?.scope, stored.askedScope), needed))
      throw this.#error(refusal, notGranted);
    const wantedScope = joinScopes(joinScopes(grant?.scope, stored.wantedScope), scope);
    await store.update((now) => ({ ...now, ...(wantedScope !== undefined && { wantedScope }) }));
    if (!isMachineGrant(context))
      throw signInRequired(context, { what: "a sign-in with more permissions" });
    const wider = await refresher.refresh({ sent, refused: { challenge: this.challenge } });
    if (wider === undefined || !covers(wider.scope, needed)) throw this.#error(refusal, notGranted);
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

/** Whether a granted scope holds every word of the needed one. */
function covers(granted: string | undefined, needed: string): boolean {
  const words = (granted ?? "").split(" ");
  return needed.split(" ").every((word) => word === "" || words.includes(word));
}

/** The token among the headers of a request. */
function tokenIn({ Authorization }: Readonly<Record<string, string>>): string | undefined {
  return /^(?:Bearer|DPoP) (.*)$/.exec(Authorization ?? "")?.[1];
}
