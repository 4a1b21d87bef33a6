import type { OAuthSettings } from "../../config/settings.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import { isSameIssuer, joinScopes, type StoredGrant } from "../core/grant.ts";
import type { BearerChallenge } from "../discovery/challenge.ts";
import { discover, type SignInTarget } from "../discovery/discovery.ts";
import type { Issuer } from "../discovery/issuer.ts";
import { scopeToAsk } from "../discovery/scope.ts";
import { DpopKey } from "./dpop.ts";

/** The pinned issuer, and the different issuer that the server's metadata name now. */
export interface IssuerChange {
  readonly from: string;
  readonly to: string;
  /** Whether the sign-in there uses a newly registered client and sends no configured secret. */
  readonly registersAnew: boolean;
}

/** The authorization server, scope and DPoP key of a token request, for machine grants and for people alike. */
export interface TokenPlan {
  readonly found: SignInTarget;
  readonly scope: string | undefined;
  readonly dpop: DpopKey | undefined;
  /** Set where the issuer differs from the pinned one and was accepted. */
  readonly issuerChange?: IssuerChange;
}

export interface TokenPlanRequest {
  readonly stored: StoredGrant;
  readonly challenge: BearerChallenge | undefined;
  /** Decides whether to accept a new issuer. Without this function, it is accepted only if a new client is registered there. */
  readonly acceptIssuer?: ((change: IssuerChange) => Promise<boolean>) | undefined;
  readonly signal: AbortSignal;
}

/** Whether requests to the authorization server carry a configured secret. */
export function sendsConfiguredSecret(auth: Partial<OAuthSettings>): boolean {
  const secrets = [
    auth.clientSecret ?? auth.clientSecretEnv ?? auth.clientSecretFile,
    auth.privateKeyFile,
    auth.assertionFile ?? auth.assertionEnv ?? auth.assertionCommand,
    auth.idp,
    auth.initialAccessToken,
    // These may contain a secret: the bridge does not know their meaning.
    auth.tokenParams,
  ];
  return secrets.some((secret) => secret !== undefined);
}

/**
 * Whether the sign-in is interactive with a dynamically registered client, so that a new issuer gets a new client and no
 * secret. Without `issuer`: whether this is possible; a client metadata document is used only if the issuer accepts it.
 */
export function usesOwnRegistration(
  { grant, clientId, clientMetadataUrl, ...auth }: OAuthSettings,
  issuer?: Pick<Issuer, "takesClientMetadata">,
): boolean {
  const isByPerson = grant === "authorization_code" || grant === "device_code";
  const hasDocument = clientMetadataUrl !== undefined && issuer?.takesClientMetadata === true;
  const isNamed = clientId !== undefined || hasDocument;
  return isByPerson && !isNamed && !sendsConfiguredSecret(auth);
}

/** Discovers the authorization server, resource and scope of a token request. Throws a BridgeError; `refused` for a new issuer that is not accepted. */
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
  const registersAnew = usesOwnRegistration(auth, found.issuer);
  const issuerChange = isNew ? { from: pinned, to: issuer, registersAnew } : undefined;
  if (issuerChange !== undefined) {
    const isAccepted = acceptIssuer?.(issuerChange) ?? registersAnew;
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
    { hint: settingHint(`if that is right, run ${login} on a terminal, or set "auth.issuer"`) },
  );
}
