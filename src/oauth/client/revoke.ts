import type { OAuthContext } from "../core/context.ts";
import type { Grant } from "../core/grant.ts";
import { clientAuth } from "./client-auth.ts";
import { currentClient } from "./client-secret.ts";
import { libraryOptions } from "./library.ts";

/**
 * Tells the authorization server to forget a grant (RFC 7009): its refresh token, else its access token.
 * Resolves to whether it did; never throws, for what is stored here is forgotten in any case.
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
    // The Python SDK's servers want the field of public clients, too, and take an empty one.
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
