import { requireVariable } from "../../config/environment.ts";
import type { OAuthSettings } from "../../config/settings.ts";
import { readSecretFile } from "../../platform/files.ts";
import type { OAuthContext } from "../core/context.ts";
import type { ClientAuthMethod, OAuthClient } from "../core/grant.ts";
import type { Issuer } from "../discovery/issuer.ts";

/** The configured client secret, from the entry, the environment or a file. Throws `configuration`. */
export function clientSecret({ auth, server, env, redactor }: OAuthContext): string | undefined {
  const what = `the client secret of server "${server.name}"`;
  const secret =
    auth.clientSecret ??
    (auth.clientSecretEnv !== undefined
      ? requireVariable(env, auth.clientSecretEnv, what)
      : auth.clientSecretFile !== undefined
        ? readSecretFile(auth.clientSecretFile, what)
        : undefined);
  redactor.add(secret);
  return secret;
}

/** The authentication method of a client: the configured one, else one that the metadata list (RFC 8414 2). */
export function methodFor(
  auth: Pick<OAuthSettings, "clientAuth" | "privateKeyFile">,
  hasSecret: boolean,
  issuer: Pick<Issuer, "clientAuthMethods">,
): ClientAuthMethod {
  if (auth.clientAuth !== undefined) return auth.clientAuth;
  if (auth.privateKeyFile !== undefined) return "private_key_jwt";
  if (!hasSecret) return "none";
  const methods = issuer.clientAuthMethods ?? ["client_secret_basic"];
  const isPostOnly =
    methods.includes("client_secret_post") && !methods.includes("client_secret_basic");
  return isPostOnly ? "client_secret_post" : "client_secret_basic";
}

/** The client of a grant with the currently configured secret, since the provider may have replaced it; with the stored secret if none is configured (imported grants). */
export function currentClient(context: OAuthContext, client: OAuthClient): OAuthClient {
  if (client.source !== "configured" || client.id !== context.auth.clientId) return client;
  try {
    const secret = clientSecret(context);
    return secret === undefined ? client : { ...client, secret };
  } catch (error) {
    if (client.secret === undefined) throw error;
    return client;
  }
}
