import type { OAuthSettings } from "../../config/settings.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import { isSameIssuer, joinScopes, type StoredGrant } from "../core/grant.ts";
import type { BearerChallenge } from "../discovery/challenge.ts";
import { discover, type SignInTarget } from "../discovery/discovery.ts";
import { scopeToAsk } from "../discovery/scope.ts";
import { DpopKey } from "./dpop.ts";

/** A server's metadata name another authorization server than the pinned one. */
export interface IssuerChange {
  readonly from: string;
  readonly to: string;
}

/** Where tokens for a server are got, for which scope, and with which key: the same for machines and for people. */
export interface TokenPlan {
  readonly found: SignInTarget;
  readonly scope: string | undefined;
  readonly dpop: DpopKey | undefined;
  /** Set where the issuer is another one than the pinned one, and was accepted. */
  readonly issuerChange?: IssuerChange;
}

export interface TokenPlanRequest {
  readonly stored: StoredGrant;
  readonly challenge: BearerChallenge | undefined;
  /** Decides about a new issuer; without it only a sign-in that sends nothing of the configuration accepts one. */
  readonly acceptIssuer?: ((change: IssuerChange) => Promise<boolean>) | undefined;
  readonly signal: AbortSignal;
}

/** Whether requests to the authorization server carry a secret that the configuration names. */
export function sendsConfiguredSecret(auth: OAuthSettings): boolean {
  const secrets = [
    auth.clientSecret ?? auth.clientSecretEnv ?? auth.clientSecretFile,
    auth.privateKeyFile,
    auth.assertionFile ?? auth.assertionEnv ?? auth.assertionCommand,
    auth.idp,
    auth.initialAccessToken,
  ];
  return secrets.some((secret) => secret !== undefined);
}

/** Whether a person signs in with a client that registers itself: then a new issuer learns nothing of the old one's client. */
export function usesOwnRegistration(auth: OAuthSettings): boolean {
  const isByPerson = auth.grant === "authorization_code" || auth.grant === "device_code";
  const isNamed = auth.clientId !== undefined || auth.clientMetadataUrl !== undefined;
  return isByPerson && !isNamed && !sendsConfiguredSecret(auth);
}

/** Finds out where and for what tokens are asked for. Throws a BridgeError; `refused` where the issuer is a new one that nobody accepts. */
export async function planTokens(
  context: OAuthContext,
  { stored, challenge, acceptIssuer, signal }: TokenPlanRequest,
): Promise<TokenPlan> {
  const { auth, server } = context;
  const pinned = stored.pinned?.issuer;
  const found = await discover({
    ...context,
    server: server.url,
    pinned,
    sendsSecret: sendsConfiguredSecret(auth),
    signal,
    ...(challenge?.resourceMetadata !== undefined && {
      resourceMetadata: challenge.resourceMetadata,
    }),
  });
  const { issuer } = found.issuer;
  const isNew = auth.issuer === undefined && pinned !== undefined && !isSameIssuer(issuer, pinned);
  const issuerChange = isNew ? { from: pinned, to: issuer } : undefined;
  if (issuerChange !== undefined) {
    const isAccepted = acceptIssuer?.(issuerChange) ?? usesOwnRegistration(auth);
    if (!(await isAccepted)) throw issuerRefused(context, issuerChange);
  }
  const usesDpop = auth.dpop ?? (found.wantsDpop || challenge?.scheme === "dpop");
  return {
    found,
    scope: joinScopes(scopeToAsk(context, found, challenge), stored.wantedScope),
    dpop: usesDpop ? await DpopKey.make() : undefined,
    ...(issuerChange !== undefined && { issuerChange }),
  };
}

function issuerRefused({ server, login, redactor }: OAuthContext, change: IssuerChange) {
  const [from, to] = [change.from, change.to].map((issuer) => redactor.shown(issuer, 200));
  return new BridgeError(
    "refused",
    `server "${server.name}" names another authorization server than before: ${to} in place of ${from}`,
    { hint: `if that is right, run ${login} on a terminal, or set "auth.issuer"` },
  );
}
