import type { CookieJar } from "tough-cookie";
import { isVisible } from "../wire/text.ts";
import type { Http } from "./client.ts";

/** Bytes of one Set-Cookie header that are read (RFC 6265 6.1). */
const maxHeaderLength = 4096;
/** Set-Cookie headers of one response that are read. */
const maxHeaders = 20;
/** Cookies that are kept, and characters of the Cookie header: most servers refuse headers over 8 KB. */
const maxCookies = 50;
const maxSentLength = 4096;

/**
 * Cookies of one server's MCP endpoint: load balancers set them so that the requests of a session reach the node that
 * holds it. Kept in memory alone, sent to exactly the endpoint's origin, and dropped with the session.
 */
export class AffinityCookies {
  readonly #origin: string;
  /** There from the first Set-Cookie on. */
  #jar: CookieJar | undefined;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** `http` with these cookies. */
  carriedBy(http: Http): Http {
    return (request) => {
      if (request.url.origin !== this.#origin) return http(request);
      const { url, headers } = request;
      const cookies = this.#jar?.getCookieStringSync(url.href) ?? "";
      const answer = http(
        cookies === "" ? request : { ...request, headers: withCookies(headers, cookies) },
      );
      return answer.then((response) =>
        response.headers.has("set-cookie") ? this.#keep(response, url) : response,
      );
    };
  }

  /** Another session begins, or another caller. */
  clear(): void {
    this.#jar = undefined;
  }

  async #keep(response: Response, url: URL): Promise<Response> {
    const { CookieJar } = await import("tough-cookie");
    this.#jar ??= new CookieJar();
    for (const header of response.headers.getSetCookie().slice(0, maxHeaders))
      if (header.length <= maxHeaderLength && isVisible(header.replaceAll(" ", "")))
        await setWithinBounds(this.#jar, header, url.href);
    return response;
  }
}

/** Sets a cookie; takes it back where the jar or the Cookie header gets too large with it. */
async function setWithinBounds(jar: CookieJar, header: string, url: string): Promise<void> {
  const cookie = await jar.setCookie(header, url, { ignoreError: true });
  if (cookie === undefined || cookie === null) return;
  const all = await jar.store.getAllCookies();
  const sent = await jar.getCookieString(url);
  if (all.length <= maxCookies && sent.length <= maxSentLength) return;
  const { domain, path, key } = cookie;
  if (domain !== null && path !== null) await jar.store.removeCookie(domain, path, key);
}

/** Cookies that the configuration names come first: servers take the first of a name. */
function withCookies(
  headers: Readonly<Record<string, string>>,
  cookies: string,
): Record<string, string> {
  const own = Object.keys(headers).find((name) => name.toLowerCase() === "cookie");
  if (own === undefined) return { ...headers, cookie: cookies };
  return { ...headers, [own]: `${headers[own]}; ${cookies}` };
}
