// HTTP redirects of a server's endpoint. Endpoint (endpoint.ts) follows the ones that are accepted here, once.

/** The URL in `location`, resolved against the request's URL; null without a usable one. */
export function locationOf(response: Response, base: URL): URL | null {
  const location = response.headers.get("location");
  return location === null || location === "" ? null : URL.parse(location, base.href);
}

/** The target of a 307 or 308 on the same scheme, host and port; any other target must not get the body and the credential. */
export function redirectTarget(response: Response, base: URL): URL | undefined {
  if (response.status !== 307 && response.status !== 308) return undefined;
  const target = locationOf(response, base);
  if (target === null || target.origin !== base.origin || target.username !== "") return undefined;
  target.hash = "";
  return target;
}
