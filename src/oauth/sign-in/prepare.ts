import { isLoopback } from "../../config/validators.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { OAuth } from "../authorizer/open.ts";
import { DpopKey } from "../client/dpop.ts";
import { configuredClient, isUsable, register } from "../client/registration.ts";
import { grantBase, grantFrom, type Tokens } from "../client/token-endpoint.ts";
import type { OAuthContext } from "../core/context.ts";
import { type Grant, joinScopes, type OAuthClient } from "../core/grant.ts";
import type { BearerChallenge } from "../discovery/challenge.ts";
import { type Discovery, discover } from "../discovery/discovery.ts";
import { scopeForUser, scopeToAsk } from "../discovery/scope.ts";

/** All that is known before a person is asked to sign in. */
export interface Prepared {
  readonly oauth: OAuth;
  readonly context: OAuthContext;
  readonly found: Discovery;
  readonly scope: string | undefined;
  readonly dpop: DpopKey | undefined;
  /** The redirect URI of an earlier registration at this issuer. */
  readonly knownRedirect: string | undefined;
}

/** Finds out where and for what to sign in. Throws a BridgeError. */
export async function prepare(
  oauth: OAuth,
  challenge: BearerChallenge | undefined,
  signal: AbortSignal,
): Promise<Prepared> {
  const { context, store } = oauth;
  const { auth, http, redactor, server, now } = context;
  const stored = await store.read();
  const found = await discover({
    http,
    server: server.url,
    auth,
    redactor,
    signal,
    ...(challenge?.resourceMetadata !== undefined && {
      resourceMetadata: challenge.resourceMetadata,
    }),
    ...(stored.grant !== undefined && { known: stored.grant.issuer }),
  });
  const wanted = joinScopes(scopeToAsk(context, found, challenge), stored.wantedScope);
  const usesDpop = auth.dpop ?? (found.wantsDpop || challenge?.scheme === "dpop");
  return {
    oauth,
    context,
    found,
    scope: scopeForUser(wanted, found.issuer.scopes),
    dpop: usesDpop ? await DpopKey.make(now) : undefined,
    knownRedirect: stored.clients?.[found.issuer.issuer]?.redirectUri,
  };
}

/** The client to sign in with: configured, registered before for this redirect URI, or registered now. */
export async function clientFor(
  { oauth, context, found }: Prepared,
  redirectUri: string,
  signal: AbortSignal,
): Promise<OAuthClient> {
  const { issuer } = found;
  const configured = configuredClient(context, issuer);
  if (configured !== undefined) return configured;
  const known = (await oauth.store.read()).clients?.[issuer.issuer];
  if (known !== undefined && isUsable(known, redirectUri, context.now())) return known;
  const client = await register(context, issuer, redirectUri, signal);
  await oauth.store.update((stored) => ({
    ...stored,
    clients: { ...stored.clients, [issuer.issuer]: client },
  }));
  return client;
}

/** Forgets a registered client that its server no longer knows, so that the next sign-in registers anew. */
export async function forgetClient({ oauth, found }: Prepared, client: OAuthClient): Promise<void> {
  if (client.source !== "registered") return;
  await oauth.store.update(({ clients = {}, ...stored }) => ({
    ...stored,
    clients: Object.fromEntries(
      Object.entries(clients).filter(
        ([issuer, { id }]) => issuer !== found.issuer.issuer || id !== client.id,
      ),
    ),
  }));
}

/** Notes that the scope was refused as a whole: asking for it again would only fail again. */
export async function noteRefusedScope({ oauth, scope }: Prepared): Promise<void> {
  await oauth.store.update(({ wantedScope: _, ...stored }) => ({
    ...stored,
    ...(scope !== undefined && { askedScope: scope }),
  }));
}

/** The grant that a person's sign-in made. */
export function grantOf(prepared: Prepared, client: OAuthClient, tokens: Tokens): Grant {
  const { context, found, scope, dpop } = prepared;
  const base = {
    ...grantBase(found, client, scope),
    ...(dpop !== undefined && tokens.tokenType === "DPoP" && { dpopKey: dpop.exported }),
  };
  return grantFrom(tokens, base, context.now());
}

/** Stores a new sign-in; from here on every process uses it. */
export async function keep({ oauth, scope }: Prepared, grant: Grant): Promise<void> {
  const { store } = oauth;
  await store.locked(async () => {
    const { server, origin, clients } = await store.read();
    await store.writeNew({
      version: 1,
      server,
      origin,
      ...(clients !== undefined && { clients }),
      ...(scope !== undefined && { askedScope: scope }),
      grant,
    });
  });
  oauth.refresher.adopt(grant);
}

/** No page needs more; a model may have to repeat it, and a person to read it. */
const longestUrl = 2048;

/** A URL that a person is sent to. Throws `refused` unless https (loopback, where the server is there, too), or where it is too long. */
export function requireShowable({ context }: Prepared, text: string, what: string): URL {
  const url = new URL(text);
  const { server, auth } = context;
  if (url.href.length > longestUrl)
    throw new BridgeError("refused", `the ${what} "${url.host}" has an address of more than 2 KB`);
  const isVouched =
    isLoopback(server.url) ||
    auth.trustedHosts?.some((host) => host === url.host || host === url.hostname) ||
    URL.parse(auth.issuer ?? "")?.host === url.host;
  if (url.protocol === "https:" || (isLoopback(url) && isVouched)) return url;
  throw new BridgeError("refused", `the ${what} "${url.host}" is not reached by https`);
}
