import { asBridgeError } from "../../wire/errors.ts";
import { currentClient } from "../client/client-secret.ts";
import { DpopKey } from "../client/dpop.ts";
import { isMachineGrant, obtainByMachine } from "../client/machine-grants.ts";
import {
  grantFrom,
  refusalText,
  requestTokens,
  type TokenRefusal,
  type Tokens,
} from "../client/token-endpoint.ts";
import { planTokens } from "../client/token-request-plan.ts";
import type { OAuthContext } from "../core/context.ts";
import { type Grant, isExpired, isSameIssuer, type StoredGrant } from "../core/grant.ts";
import { isTransient } from "../core/transient.ts";
import type { BearerChallenge } from "../discovery/challenge.ts";
import type { CredentialStore } from "../store/store.ts";

/** Pauses before the second and third attempt, after a temporary failure. */
const pausesMs = [250, 1000];
/** Time limit of one token request. A refresh outlives the call that started it: if a rotated token is not stored, the sign-in is lost. */
const refreshMs = 30_000;
/** Three attempts of 12 s each, and their pauses. */
const maxRefreshMs = 40_000;

/** Why a refresh is needed. */
export interface RefreshCause {
  /** The access token that has expired or was refused; undefined if the request carried none. */
  readonly sent: string | undefined;
  /** Set where the server refused the token. */
  readonly refused?: { readonly challenge: BearerChallenge | undefined };
}

/** Refreshes the grant of one server, one refresh at a time across all calls and processes. */
export class TokenRefresher {
  readonly #context: OAuthContext;
  readonly #store: CredentialStore;
  #grant: Grant | undefined;
  #refreshing: Promise<Grant | undefined> | undefined;
  /** A refreshed grant that could not be stored, and the refresh token that it replaced. */
  #unsaved: { readonly grant: Grant; readonly spent: string } | undefined;
  readonly #keys = new WeakMap<Grant, Promise<DpopKey>>();
  readonly #pausesMs: readonly number[];

  constructor(
    context: OAuthContext,
    store: CredentialStore,
    options: { pausesMs?: readonly number[] } = {},
  ) {
    this.#context = context;
    this.#store = store;
    this.#pausesMs = options.pausesMs ?? pausesMs;
  }

  /** The grant in memory, where it has not expired. */
  get held(): Grant | undefined {
    const grant = this.#grant;
    return grant === undefined || isExpired(grant, this.#context.now()) ? undefined : grant;
  }

  /** The grant in memory, read from the store where it is missing or has expired. Throws `configuration`. */
  async current(): Promise<Grant | undefined> {
    if (this.held === undefined) this.#grant = usable(await this.#store.read());
    return this.#grant;
  }

  /** The DPoP key of a grant; undefined for a bearer token. */
  async dpopKey(grant: Grant): Promise<DpopKey | undefined> {
    if (grant.dpopKey === undefined) return undefined;
    const known = this.#keys.get(grant) ?? DpopKey.load(grant.dpopKey);
    this.#keys.set(grant, known);
    return known;
  }

  /**
   * A grant whose token differs from `sent`: the stored grant if another process refreshed it, else a newly refreshed
   * one; undefined if a person must sign in. Throws a BridgeError if the server neither issued nor refused a token; the
   * stored grant is then kept.
   */
  async refresh(cause: RefreshCause): Promise<Grant | undefined> {
    // A call that arrives during a refresh shares its result.
    if (this.#refreshing !== undefined) {
      const grant = await this.#refreshing;
      if (grant === undefined || grant.accessToken !== cause.sent) return grant;
    }
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#store.locked(() => this.#refreshUnderLock(cause));
      this.#refreshing.then(
        () => {
          this.#refreshing = undefined;
        },
        () => {
          this.#refreshing = undefined;
        },
      );
    }
    this.#grant = await this.#refreshing;
    return this.#grant;
  }

  /** Resolves when no refresh is running, or after 40 s: ending the process earlier could lose a rotated token. */
  async settled(): Promise<void> {
    const refreshing = this.#refreshing?.catch(() => undefined);
    await Promise.race([refreshing, Bun.sleep(maxRefreshMs)]);
  }

  /** Uses a grant that was just stored. */
  adopt(grant: Grant | undefined): void {
    this.#grant = grant;
  }

  /** Reads the stored grant under the lock and uses it if its token differs from `sent`; resolves to whether it differs. */
  async adoptOther(sent: string | undefined): Promise<boolean> {
    const stored = await this.#store.locked(() => this.#store.read());
    const grant = usable(stored);
    if (grant === undefined || grant.accessToken === sent) return false;
    this.#grant = grant;
    return true;
  }

  async #refreshUnderLock(cause: RefreshCause): Promise<Grant | undefined> {
    const { now, log, server } = this.#context;
    const stored = await this.#store.read();
    const kept = usable(stored);
    const unsaved = this.#unsaved;
    const grant =
      unsaved !== undefined && kept?.refreshToken === unsaved.spent ? unsaved.grant : kept;
    if (grant !== undefined && grant.accessToken !== cause.sent && !isExpired(grant, now()))
      return grant;
    if (isMachineGrant(this.#context)) return this.#obtain(stored, cause);
    if (grant?.refreshToken === undefined) return undefined;
    const whole = grant.tokenEndpoint === "" ? await this.#completed(grant, stored, cause) : grant;
    if (whole === undefined) return undefined;
    const answer = await this.#refreshInScope(whole, grant.refreshToken);
    if (!("error" in answer)) {
      const refreshed = grantFrom(answer, whole, now());
      await this.#keep(stored, refreshed);
      log.debug("token renewed", {
        server: server.name,
        cause: cause.refused ? "refused" : "expired",
      });
      return refreshed;
    }
    log.warn("renewal refused", { server: server.name, error: refusalText(answer) });
    await this.#store.write(withoutGrant(stored, answer));
    return undefined;
  }

  /**
   * An imported grant with the endpoints that its store did not hold, from the server's metadata; undefined if another
   * authorization server than the grant's is named there, which must not see its tokens.
   */
  async #completed(
    grant: Grant,
    { pinned: _, ...stored }: StoredGrant,
    { refused }: RefreshCause,
  ): Promise<Grant | undefined> {
    const signal = AbortSignal.timeout(refreshMs);
    const challenge = refused?.challenge;
    const { found } = await planTokens(this.#context, { stored, challenge, signal });
    const { issuer, tokenEndpoint, revocationEndpoint } = found.issuer;
    if (!isSameIssuer(issuer, grant.issuer)) return undefined;
    return {
      ...grant,
      issuer,
      tokenEndpoint,
      ...(revocationEndpoint !== undefined && { revocationEndpoint }),
      ...(found.resource !== undefined && { resource: found.resource }),
    };
  }

  /** Stores a renewed grant; where that fails, this process keeps using it, since the stored one is no longer valid. */
  async #keep(stored: StoredGrant, refreshed: Grant): Promise<void> {
    try {
      await this.#store.write({ ...stored, grant: refreshed });
      this.#unsaved = undefined;
    } catch (error) {
      const spent = stored.grant?.refreshToken;
      if (spent === undefined) throw error;
      this.#unsaved = { grant: refreshed, spent };
      const { log, server } = this.#context;
      log.error("the renewed sign-in cannot be stored", {
        server: server.name,
        error: asBridgeError(error).message,
      });
    }
  }

  async #obtain(stored: StoredGrant, { refused }: RefreshCause): Promise<Grant> {
    const signal = AbortSignal.timeout(refreshMs);
    const challenge = refused?.challenge;
    const grant = await obtainByMachine(this.#context, { stored, challenge, signal });
    await this.#store.write({ ...stored, grant });
    return grant;
  }

  /** Refreshes with the granted scope; without it where the server cannot read its own text of it, since the scope then stays as it is (RFC 6749 6). */
  async #refreshInScope(grant: Grant, refreshToken: string): Promise<Tokens | TokenRefusal> {
    const answer = await this.#refresh(grant, refreshToken);
    if (!("error" in answer) || answer.error !== "invalid_scope" || grant.scope === undefined)
      return answer;
    const { scope: _, ...unscoped } = grant;
    return this.#refresh(unscoped, refreshToken);
  }

  async #refresh(grant: Grant, refreshToken: string): Promise<Tokens | TokenRefusal> {
    const dpop = await this.dpopKey(grant);
    const call = {
      context: this.#context,
      issuer: grant,
      client: currentClient(this.#context, grant.client),
      grantType: "refresh_token",
      parameters: { refresh_token: refreshToken, resource: grant.resource, scope: grant.scope },
      ...(dpop && { dpop }),
    };
    for (let attempt = 0; ; attempt++) {
      try {
        return await requestTokens({ ...call, signal: AbortSignal.timeout(refreshMs) });
      } catch (error) {
        const pauseMs = this.#pausesMs[attempt];
        if (!isTransient(error) || pauseMs === undefined) throw error;
        await Bun.sleep(pauseMs);
      }
    }
  }
}

/** The grant of a store, unless it was exported to another machine. */
export function usable(stored: StoredGrant): Grant | undefined {
  return stored.movedAt === undefined ? stored.grant : undefined;
}

/** The store after a refused refresh: `invalid_grant` drops the grant, an unknown client drops client and grant (RFC 6749 5.2). */
function withoutGrant(stored: StoredGrant, { error }: TokenRefusal): StoredGrant {
  const isClientGone = error === "invalid_client" || error === "unauthorized_client";
  if (error !== "invalid_grant" && !isClientGone) return stored;
  const { grant, clients = {}, ...rest } = stored;
  if (!isClientGone) return { ...rest, clients };
  const left = Object.entries(clients).filter(([issuer]) => issuer !== grant?.issuer);
  return { ...rest, clients: Object.fromEntries(left) };
}
