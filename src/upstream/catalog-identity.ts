import { expand } from "../host/config-rules.ts";
import { readSecretFile } from "../host/files.ts";
import type { Environment } from "../host/paths.ts";
import type { ServerSettings } from "../host/settings.ts";

/**
 * Text that differs where a server would see another caller: what one is shown must not be served to the next.
 * It may hold secrets and is only ever hashed. Commands count by their words (what they print changes with every
 * token), OAuth by what a grant belongs to, so that a list outlives the sign-in that fetched it.
 */
export function catalogIdentity(settings: ServerSettings, env: Environment): string {
  const { name, url, headers, headersCommand } = settings;
  const sent = Object.entries(headers).map(([header, value]) => [
    header,
    expand(value, (variable) => env[variable] ?? ""),
  ]);
  return JSON.stringify([
    name,
    url.origin,
    credentialIdentity(settings, env),
    sent,
    headersCommand,
  ]);
}

function credentialIdentity({ credential }: ServerSettings, env: Environment): unknown {
  switch (credential.type) {
    case "tokenEnv":
      return env[credential.variable] ?? "";
    case "tokenFile":
      return fileContent(credential.path);
    case "oauth": {
      const { grant, issuer, clientId } = credential.auth;
      return ["oauth", grant, issuer, clientId];
    }
    default:
      return credential;
  }
}

function fileContent(path: string): string {
  try {
    return readSecretFile(path, "tokenFile");
  } catch {
    // The request itself will say what is wrong with it.
    return "";
  }
}
