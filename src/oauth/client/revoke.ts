import type { OAuthContext } from "../core/context.ts";
import type { Grant } from "../core/grant.ts";
import { clientAuth } from "./client-auth.ts";
import { currentClient } from "./client-secret.ts";
import { libraryOptions } from "./oauth4webapi.ts";

/**
 * Revokes the refresh token of a grant, else its access token (RFC 7009). Resolves to whether the server confirmed it;
 * never throws, because the stored grant is deleted in any case.
 */
export async function revoke(
  context: OAuthContext,
  grant: Grant,
  signal: AbortSignal,
): Promise<boolean> {
  const { log, server } = context;
  const { refreshToken, accessToken, revocationEndpoint, client, issuer } = grant;
  if (revocationEndpoint === undefined) return false;
  try {
    const oauth = await import("oauth4webapi");
    const options = await libraryOptions(context, issuer, signal);
    const ask = async (more: Readonly<Record<string, string>>) =>
      oauth.revocationRequest(
        { issuer, revocation_endpoint: revocationEndpoint },
        { client_id: client.id },
        await clientAuth(context, currentClient(context, client), true),
        refreshToken ?? accessToken,
        {
          ...options,
          additionalParameters: {
            token_type_hint: refreshToken === undefined ? "access_token" : "refresh_token",
            ...more,
          },
        },
      );
    let response = await ask({});
    // Servers of the Python SDK demand `client_secret` even of public clients, and accept an empty one.
    const mayMissSecret = client.method === "none" && response.status >= 400;
    if (mayMissSecret && response.status < 500) response = await ask({ client_secret: "" });
    if (response.ok) return true;
    log.warn("revocation refused", { server: server.name, status: response.status });
  } catch (error) {
    log.warn("revocation failed", {
      server: server.name,
      error: error instanceof Error ? error.message : "",
    });
  }
  return false;
}
