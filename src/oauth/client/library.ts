import type { CustomFetchOptions } from "oauth4webapi";
import type { OAuthContext } from "../core/context.ts";

/** What oauth4webapi's requests take from us: its own way to the network is never used. */
export async function libraryOptions(
  { http }: Pick<OAuthContext, "http">,
  issuer: string,
  signal: AbortSignal,
) {
  const { allowInsecureRequests, customFetch } = await import("oauth4webapi");
  return {
    // The guard judges the URL: it lets plain http reach loopback only.
    [allowInsecureRequests]: true,
    [customFetch]: (
      href: string,
      { headers, body }: CustomFetchOptions<"POST", URLSearchParams | string>,
    ) => http({ method: "POST", url: new URL(href), headers, body: String(body), issuer, signal }),
  };
}
