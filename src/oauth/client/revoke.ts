import type { OAuthContext } from "../core/context.ts";
import type { Grant } from "../core/grant.ts";
import { clientAuth } from "./client-auth.ts";
import { currentClient } from "./client-secret.ts";

/**
 * Tells the authorization server to forget a grant (RFC 7009): its refresh token, else its access token.
 * Resolves to whether it did; never throws, for what is stored here is forgotten in any case.
 */
export async function revoke(
  context: OAuthContext,
  grant: Grant,
  signal: AbortSignal,
): Promise<boolean> {
  const { log, server, http } = context;
  const { refreshToken, accessToken, revocationEndpoint, client, issuer } = grant;
  if (revocationEndpoint === undefined) return false;
  try {
    const form = new URLSearchParams({
      token: refreshToken ?? accessToken,
      token_type_hint: refreshToken === undefined ? "access_token" : "refresh_token",
    });
    const headers = new Headers({ "content-type": "application/x-www-form-urlencoded" });
    const authenticate = await clientAuth(context, currentClient(context, client));
    await authenticate({ issuer }, { client_id: client.id }, form, headers);
    const response = await http({
      method: "POST",
      url: new URL(revocationEndpoint),
      headers: Object.fromEntries(headers.entries()),
      body: form.toString(),
      signal,
    });
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
