import type { OAuthSettings, ServerSettings } from "../../config/settings.ts";
import { expand } from "../../config/validators.ts";
import { mayUseOAuth, storedGrantOwner } from "../../oauth/store/grant-owner.ts";
import { readSecretFile } from "../../platform/files.ts";
import type { Environment } from "../../platform/paths.ts";
import type { CallerIdentity } from "./store.ts";

/**
 * The caller as the server sees it: one caller's answers must not be served to another. May hold secrets, so it is only
 * ever hashed. A command counts by its words and variables (its output changes with every token), a client certificate by
 * its path, OAuth by the grant's owner, so that a cached list outlives the sign-in that fetched it.
 */
export function catalogIdentity(settings: ServerSettings, env: Environment): CallerIdentity {
  const { name, url, headers, headersCommand, network } = settings;
  const sent = Object.entries(headers).map(([header, value]) => [
    header,
    expand(value, env, () => ""),
  ]);
  const caller = JSON.stringify([
    name,
    url.origin,
    credentialIdentity(settings, env),
    sent,
    headersCommand,
    [network.clientCertFile, network.clientKeyFile],
    settings.env.map((variable) => env[variable]),
  ]);
  return { caller, owner: mayUseOAuth(settings) ? storedGrantOwner(settings) : undefined };
}

function credentialIdentity({ credential }: ServerSettings, env: Environment): unknown {
  switch (credential.type) {
    case "tokenEnv":
      return env[credential.variable] ?? "";
    case "tokenFile":
      return fileContent(credential.path);
    case "oauth":
      return grantIdentity(credential.auth, env);
    default:
      return credential;
  }
}

/** The grant by its configuration; a machine grant counts by its assertion, too. */
function grantIdentity(auth: OAuthSettings, env: Environment): unknown {
  const { grant, issuer, clientId, assertionEnv, assertionFile, assertionCommand, idp } = auth;
  const variables = [assertionEnv, idp?.idTokenEnv].map((name) => name && env[name]);
  const files = [assertionFile, idp?.idTokenFile].map((path) => path && fileContent(path));
  const commands = [assertionCommand, idp?.idTokenCommand];
  const provider = [idp?.issuer, idp?.clientId];
  return ["oauth", grant, issuer, clientId, variables, files, commands, provider];
}

function fileContent(path: string): string {
  try {
    return readSecretFile(path, "credential");
  } catch {
    // The request reports the error of the same file.
    return "";
  }
}
