import type { Context } from "../../cli/command.ts";
import { foreignSignInOf } from "../../config/mcp-remote/store.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { type Grant, isInstant } from "../../oauth/core/grant.ts";
import type { Row } from "./plan.ts";

/**
 * Stores the sign-in that mcp-remote keeps for a server that was imported; resolves to whether it keeps one. A sign-in whose
 * authorization server its files do not name is left: its refresh token must not be sent to another one.
 */
export async function takeSignIn(
  { draft }: Row,
  server: ServerSettings,
  { env, log, redactor }: Context,
): Promise<boolean> {
  const { credential } = server;
  const key = draft.mcpRemoteKey;
  const auth = credential.type === "oauth" ? credential.auth : undefined;
  const isByPerson =
    credential.type === "unset" ||
    auth?.grant === "authorization_code" ||
    auth?.grant === "device_code";
  if (key === undefined || !isByPerson) return false;
  const found = foreignSignInOf(key, draft.entry.url, { ...env, ...draft.env });
  if (found === undefined || found.issuer === "") return false;
  const { client, accessToken, refreshToken, expiresAt, scope, issuer } = found;
  const id = auth?.clientId ?? client.id;
  if (id === "") return false;
  const hasSecret = auth?.clientId === undefined && client.secret !== "";
  const grant: Grant = {
    issuer,
    client: {
      id,
      method: hasSecret ? "client_secret_post" : "none",
      source: auth?.clientId === undefined ? "registered" : "configured",
      ...(hasSecret && { secret: client.secret }),
      ...(client.redirectUri !== "" && { redirectUri: client.redirectUri }),
    },
    // The first renewal finds it: an import contacts no server.
    tokenEndpoint: "",
    accessToken,
    refreshToken,
    tokenType: "Bearer",
    obtainedAt: Date.now(),
    ...(isInstant(expiresAt) && { expiresAt }),
    ...(scope !== "" && { scope }),
  };
  const { CredentialStore } = await import("../../oauth/store/store.ts");
  const { openKeyring } = await import("../../platform/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  await store.locked(async () => store.writeNew({ ...(await store.read()), grant }));
  return true;
}
