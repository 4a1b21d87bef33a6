import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import type { Grant, OAuthClient } from "../core/grant.ts";
import type { SignInTarget } from "../discovery/discovery.ts";
import { exchangeForIdJag } from "./id-jag.ts";
import { configuredClient } from "./registration.ts";
import { readSource } from "./secret-source.ts";
import { grantBase, grantFrom, refusalText, requestTokens } from "./token-endpoint.ts";
import { planTokens, type TokenPlanRequest } from "./token-request-plan.ts";

const jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** Whether this entry gets its tokens without user interaction. */
export function isMachineGrant({ auth }: Pick<OAuthContext, "auth">): boolean {
  return auth.grant !== "authorization_code" && auth.grant !== "device_code";
}

/** The grant type, and the assertion that it sends. */
async function parametersFor(
  context: OAuthContext,
  found: SignInTarget,
  scope: string | undefined,
  signal: AbortSignal,
): Promise<{ grantType: string; assertion?: string }> {
  const { auth } = context;
  if (auth.grant === "client_credentials") return { grantType: "client_credentials" };
  if (auth.grant === "id_jag") {
    const assertion = await exchangeForIdJag(context, found, scope, signal);
    return { grantType: jwtBearerGrant, assertion };
  }
  const source = {
    file: auth.assertionFile,
    variable: auth.assertionEnv,
    argv: auth.assertionCommand,
  };
  return {
    grantType: jwtBearerGrant,
    assertion: await readSource(context, "assertion", source, signal),
  };
}

function clientFor(context: OAuthContext, found: SignInTarget): OAuthClient {
  const client = configuredClient(context, found.issuer);
  if (client !== undefined) return client;
  throw new BridgeError(
    "registration-refused",
    `server "${context.server.name}" has no client id`,
    {
      hint: settingHint(
        `the grant ${context.auth.grant} needs "auth.clientId", given by the provider`,
      ),
    },
  );
}

/**
 * Requests a token without user interaction: client credentials (RFC 6749 4.4), workload identity (RFC 7523, SEP-1933)
 * or enterprise-managed authorization (ID-JAG, SEP-990). Throws a BridgeError; a refusal is `unauthorized`.
 */
export async function obtainByMachine(
  context: OAuthContext,
  { stored, challenge, acceptIssuer, signal }: TokenPlanRequest,
): Promise<Grant> {
  const { auth, server, now } = context;
  const plan = await planTokens(context, { stored, challenge, acceptIssuer, signal });
  const { found, scope, dpop } = plan;
  const { issuer, resource } = found;
  const client = clientFor(context, found);
  const { grantType, assertion } = await parametersFor(context, found, scope, signal);
  const tokens = await requestTokens({
    context,
    issuer,
    client,
    grantType,
    parameters: { scope, resource, assertion },
    ...(dpop && { dpop }),
    signal,
  });
  if ("error" in tokens) {
    throw new BridgeError(
      "unauthorized",
      `Authentication failed: server "${server.name}" gave no token: ${refusalText(tokens)}`,
      {
        hint: settingHint(`check "auth" of server "${server.name}" (grant ${auth.grant})`),
      },
    );
  }
  // A refresh token should not come with these grants (RFC 6749 4.4.3); one that comes is dropped.
  const { refreshToken: _, ...rest } = tokens;
  const base = { ...grantBase(found, client, scope), ...(dpop && { dpopKey: dpop.exported }) };
  return grantFrom(rest, base, now());
}
