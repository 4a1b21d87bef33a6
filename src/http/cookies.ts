import type { CookieJar } from "tough-cookie";
import { isVisible } from "../wire/text.ts";

type Fields = Readonly<Record<string, string>>;

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
  /** Created at the first Set-Cookie. */
  #jar: CookieJar | undefined;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** The header fields of a request to `url`, with the cookies that belong there. */
  fieldsFor(url: URL, headers: Fields): Fields {
    // Most servers set no cookies: the lookup is skipped.
    if (this.#jar === undefined || url.origin !== this.#origin) return headers;
    const cookies = this.#jar.getCookieStringSync(url.href);
    return cookies === "" ? headers : withCookies(headers, cookies);
  }

  /** Keeps the cookies of a response from `url`; resolves to the response. */
  async keep(response: Response, url: URL): Promise<Response> {
    if (url.origin !== this.#origin) return response;
    const { CookieJar } = await import("tough-cookie");
    this.#jar ??= new CookieJar();
    for (const header of response.headers.getSetCookie().slice(0, maxHeaders))
      if (header.length <= maxHeaderLength && isVisible(header.replaceAll(" ", "")))
        await setWithinBounds(this.#jar, header, url.href);
    return response;
  }

  /** Deletes all cookies: a new session begins, or the credential changes. */
  clear(): void {
    this.#jar = undefined;
  }
}

/** Sets a cookie, and removes it again if the jar or the Cookie header gets too large. */
async function setWithinBounds(jar: CookieJar, header: string, url: string): Promise<void> {
  const cookie = await jar.setCookie(header, url, { ignoreError: true });
  if (cookie === undefined || cookie === null) return;
  const all = await jar.store.getAllCookies();
  const sent = await jar.getCookieString(url);
  if (all.length <= maxCookies && sent.length <= maxSentLength) return;
  const { domain, path, key } = cookie;
  if (domain !== null && path !== null) await jar.store.removeCookie(domain, path, key);
}

/** Configured cookies come first: of two cookies with one name, servers use the first. */
function withCookies(headers: Fields, cookies: string): Fields {
  const own = Object.keys(headers).find((name) => name.toLowerCase() === "cookie");
  if (own === undefined) return { ...headers, cookie: cookies };
  return { ...headers, [own]: `${headers[own]}; ${cookies}` };
}
