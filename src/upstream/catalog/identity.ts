import type { OAuthSettings, ServerSettings } from "../../config/settings.ts";
import { expand } from "../../config/validators.ts";
import { storedGrantOwner } from "../../oauth/store/grant-owner.ts";
import { readSecretFile } from "../../platform/files.ts";
import type { Environment } from "../../platform/paths.ts";
import type { Identity } from "./store.ts";

/**
 * Differs where a server would see another caller: what one is shown must not be served to the next. It may
 * hold secrets and is only ever hashed. Commands count by their words and the variables meant for them (what they
 * print changes with every token), client certificates by their path, OAuth by what a grant belongs to, so that a
 * list outlives the sign-in that fetched it.
 */
export function catalogIdentity(settings: ServerSettings, env: Environment): Identity {
  const { name, url, headers, headersCommand, network, credential } = settings;
  const sent = Object.entries(headers).map(([header, value]) => [
    header,
    expand(value, (variable) => env[variable] ?? ""),
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
  const mayBeSignedIn = credential.type === "oauth" || credential.type === "unset";
  return { caller, owner: mayBeSignedIn ? storedGrantOwner(settings) : undefined };
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

/** What the configuration says of a grant; a machine's is whose assertion it is got with. */
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
    // The request itself will say what is wrong with it.
    return "";
  }
}
