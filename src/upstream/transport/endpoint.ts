import type { Http } from "../../http/client.ts";
import type { AffinityCookies } from "../../http/cookies.ts";
import { redirectTarget } from "./redirects.ts";
import { discard } from "./response-body.ts";

/** One request to a server; the Endpoint adds the URL. */
export interface EndpointRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly signal: AbortSignal;
  /** As in HttpRequest (http/client.ts). */
  readonly nonIdempotent?: (() => boolean) | undefined;
}

interface EndpointOptions {
  /** The configured URL. */
  readonly url: URL;
  /** The URL that a redirect led to in an earlier run, on the same origin. */
  readonly movedUrl?: URL | undefined;
  /** Adds the credential. */
  readonly http: Http;
  readonly cookies?: AffinityCookies | undefined;
  /** Called with the URL that a 307 or 308 led to on the same origin; with undefined when the endpoint is back at its configured URL. */
  readonly moved?: ((url: URL | undefined) => void) | undefined;
  /** Called when the headers of a response have come; `signal` tells which request it answers. */
  readonly onResponseHeaders?: ((signal: AbortSignal) => void) | undefined;
}

/** A server's URL: follows one 307 or 308 on the same origin, remembers the new URL, and goes back to the configured one after a 404. */
export class Endpoint {
  readonly #options: EndpointOptions;
  #url: URL;
  /** The shortest time from a request to the headers of its response. */
  #roundTripMs = Number.POSITIVE_INFINITY;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = options.movedUrl ?? options.url;
  }

  get url(): URL {
    return this.#url;
  }

  /** Estimated round trip to the server: the shortest time from a request to the headers of its response; Infinity before the first. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** `mayBeGone`: a 404 means that a remembered URL is outdated; false where it may mean a lost session. */
  request(request: EndpointRequest, mayBeGone = true): Promise<Response> {
    const { method, headers, body, signal, nonIdempotent } = request;
    const startedAt = performance.now();
    const answer = this.#options.http({
      method,
      url: this.#url,
      headers,
      body,
      signal,
      nonIdempotent,
      cookies: this.#options.cookies,
    });
    return answer.then((response) => {
      this.#roundTripMs = Math.min(this.#roundTripMs, performance.now() - startedAt);
      this.#options.onResponseHeaders?.(request.signal);
      return response.status === 404 || response.status === 307 || response.status === 308
        ? this.#follow(request, response, mayBeGone)
        : response;
    });
  }

  async #follow(request: EndpointRequest, response: Response, mayBeGone: boolean) {
    const { http, url, moved, cookies } = this.#options;
    const isGone = response.status === 404 && mayBeGone && this.#url !== url;
    const target = isGone ? url : redirectTarget(response, this.#url);
    if (target === undefined) return response;
    discard(response);
    this.#url = target;
    moved?.(target === url ? undefined : target);
    // The configured URL may redirect again: that redirect is followed, once.
    return isGone ? this.request(request, false) : http({ ...request, url: target, cookies });
  }
}
