import type { ServerSettings } from "../../config/settings.ts";
import { expand, mayBeSecret, variablesIn } from "../../config/validators.ts";
import { readSecretFile } from "../../platform/files.ts";
import type { Environment } from "../../platform/paths.ts";
import { mayUseOAuth } from "./grant-owner.ts";
import { CredentialStore, type StoreDeps } from "./store.ts";

interface Deps extends StoreDeps {
  readonly env: Environment;
}

/**
 * Tells the redactor the secrets that another process sends to this server: tokens, secret header and query values,
 * the stored sign-in. Configured commands are not run for their output, because each run may consume a one-time
 * password.
 */
export async function knowSecrets(server: ServerSettings, deps: Deps): Promise<void> {
  const { env, redactor } = deps;
  const { credential, headers, url, urlTemplate = "" } = server;
  for (const variable of variablesIn(urlTemplate)) redactor.add(env[variable]);
  for (const [name, value] of Object.entries(headers))
    if (mayBeSecret(name, value) || variablesIn(value).length > 0)
      redactor.addHeader(
        name,
        expand(value, env, () => ""),
      );
  for (const [name, value] of url.searchParams) if (mayBeSecret(name, value)) redactor.add(value);
  if (credential.type === "token") redactor.add(credential.token);
  if (credential.type === "tokenEnv") redactor.add(env[credential.variable]?.trim());
  try {
    if (credential.type === "tokenFile") redactor.add(readSecretFile(credential.path, "token"));
    // read() registers the secrets.
    if (mayUseOAuth(server)) await new CredentialStore(server, deps).read();
  } catch {
    // The process that sends them reports the error.
  }
}
