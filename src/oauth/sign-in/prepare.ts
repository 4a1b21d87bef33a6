import { isLoopback } from "../../config/validators.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuth } from "../authorizer/open.ts";
import { SignInClient } from "../client/sign-in-client.ts";
import { grantBase, grantFrom, type Tokens } from "../client/token-endpoint.ts";
import { planTokens, type TokenPlan, type TokenPlanRequest } from "../client/token-request-plan.ts";
import type { OAuthContext } from "../core/context.ts";
import type { Grant, OAuthClient } from "../core/grant.ts";
import { scopeForUser } from "../discovery/scope.ts";

/** Everything that a sign-in needs before the user is asked. */
export interface Prepared extends TokenPlan {
  readonly oauth: OAuth;
  readonly context: OAuthContext;
  readonly client: SignInClient;
  /** The redirect URI of an earlier registration at this issuer. */
  readonly knownRedirect: string | undefined;
}

/** Finds the authorization server, the scope and the client of a sign-in. Throws a BridgeError. */
export async function prepare(
  oauth: OAuth,
  { challenge, acceptIssuer, signal }: Omit<TokenPlanRequest, "stored">,
): Promise<Prepared> {
  const { context, store } = oauth;
  const stored = await store.read();
  const plan = await planTokens(context, { stored, challenge, acceptIssuer, signal });
  const { issuer } = plan.found;
  const scope = scopeForUser(plan.scope, issuer.scopes);
  return {
    ...plan,
    oauth,
    context,
    scope,
    client: new SignInClient(context, store, issuer, scope),
    knownRedirect: stored.clients?.[issuer.issuer]?.redirectUri,
  };
}

/** Records that the server refused the whole scope, so that it is not requested again. */
export async function noteRefusedScope({ oauth, scope }: Prepared): Promise<void> {
  await oauth.store.update(({ wantedScope: _, ...stored }) => ({
    ...stored,
    ...(scope !== undefined && { askedScope: scope }),
  }));
}

/** The grant of an interactive sign-in. */
export function grantOf(prepared: Prepared, client: OAuthClient, tokens: Tokens): Grant {
  const { context, found, scope, dpop } = prepared;
  const now = context.now();
  const base = {
    ...grantBase(found, client, scope),
    signedInAt: now,
    ...(dpop !== undefined && tokens.tokenType === "DPoP" && { dpopKey: dpop.exported }),
  };
  return grantFrom(tokens, base, now);
}

/** Stores a new sign-in, which every process then uses. */
export async function storeGrant({ oauth, scope }: Prepared, grant: Grant): Promise<void> {
  const { store } = oauth;
  await store.locked(async () => {
    const { server, origin, clients } = await store.read();
    const { client, issuer } = grant;
    const isOwn = client.source === "registered";
    await store.writeNew({
      version: 1,
      server,
      origin,
      clients: { ...clients, ...(isOwn && { [issuer]: client }) },
      ...(scope !== undefined && { askedScope: scope }),
      grant,
    });
  });
  oauth.refresher.adopt(grant);
}

/** Longest URL of a page, in characters: a model has to repeat it and a person to read it. */
const longestUrl = 2048;

/** Checks the URL of a page to show to the user. Throws `refused` if it is too long or not https; http on loopback is accepted for a server on loopback or a trusted host. */
export function requireShowable({ context }: Prepared, text: string, what: string): URL {
  const url = new URL(text);
  const { server, auth } = context;
  requireShort(url, what);
  const isTrusted =
    isLoopback(server.url) ||
    auth.trustedHosts?.some((host) => host === url.host || host === url.hostname) ||
    URL.parse(auth.issuer ?? "")?.host === url.host;
  if (url.protocol === "https:" || (isLoopback(url) && isTrusted)) return url;
  throw new BridgeError("refused", `the ${what} "${url.host}" is not reached by https`);
}

/** Throws `refused` if a URL is too long to be shown; called again after the query parameters were added. */
export function requireShort({ href, host }: URL, what: string): void {
  if (href.length <= longestUrl) return;
  throw new BridgeError("refused", `the ${what} "${host}" has an address of more than 2 KB`, {
    hint: settingHint(
      '"auth.scopes" names the scopes to ask for in place of those that the server lists',
    ),
  });
}
