import type { CustomFetchOptions } from "oauth4webapi";
import type { OAuthContext } from "../core/context.ts";

/** Options for every request of oauth4webapi: it sends through our guarded HTTP, never by its own fetch. */
export async function libraryOptions(
  { http }: Pick<OAuthContext, "http">,
  issuer: string,
  signal: AbortSignal,
) {
  const { allowInsecureRequests, customFetch } = await import("oauth4webapi");
  return {
    // The guard is stricter: plain http reaches loopback only.
    [allowInsecureRequests]: true,
    [customFetch]: (
      href: string,
      { headers, body }: CustomFetchOptions<"POST", URLSearchParams | string>,
    ) => http({ method: "POST", url: new URL(href), headers, body: String(body), issuer, signal }),
  };
}
