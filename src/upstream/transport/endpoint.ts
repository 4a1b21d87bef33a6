import type { Http } from "../../http/client.ts";
import type { AffinityCookies } from "../../http/cookies.ts";
import { discard } from "./response-body.ts";

/** One request to a server's endpoint; the place it goes to is the endpoint's business. */
export interface EndpointRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly signal: AbortSignal;
  /** Whether it may not be executed twice (host/http). */
  readonly nonIdempotent?: (() => boolean) | undefined;
}

interface EndpointOptions {
  /** As configured. */
  readonly url: URL;
  /** Where a redirect led to the last time, on the same origin. */
  readonly movedUrl?: URL | undefined;
  /** Authorized already. */
  readonly http: Http;
  readonly cookies?: AffinityCookies | undefined;
  /** Called when a 307 or 308 moved the endpoint on the same origin; undefined: it is where it is configured. */
  readonly moved?: ((url: URL | undefined) => void) | undefined;
  /** Called when the head of an answer has come to the request that `signal` ends. */
  readonly onResponseHeaders?: ((signal: AbortSignal) => void) | undefined;
}

/** The place of a server: follows one 307 or 308 on its origin, remembers it, and leaves it when it is gone. */
export class Endpoint {
  readonly #options: EndpointOptions;
  #url: URL;
  /** The shortest time from a request to the head of its answer. */
  #roundTripMs = Number.POSITIVE_INFINITY;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = options.movedUrl ?? options.url;
  }

  get url(): URL {
    return this.#url;
  }

  /** Round trip to the server, as far as it is known: the shortest time that an answer took; Infinity before the first. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** `mayBeGone`: whether a 404 says that a remembered place is gone (and not a session). */
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
    const target = isGone ? url : movedTo(response, this.#url);
    if (target === undefined) return response;
    await discard(response);
    this.#url = target;
    moved?.(target === url ? undefined : target);
    // Where it was configured it may have moved again; a redirect is followed once.
    return isGone ? this.request(request, false) : http({ ...request, url: target, cookies });
  }
}

/** Where a redirect leads, resolved against the request's URL. */
export function locationOf(response: Response, base: URL): URL | null {
  const location = response.headers.get("location");
  return location === null || location === "" ? null : URL.parse(location, base.href);
}

/** Where a 307 or 308 sends us, if that is the same scheme, host and port: body and credential stay where they were meant for. */
function movedTo(response: Response, base: URL): URL | undefined {
  if (response.status !== 307 && response.status !== 308) return undefined;
  const target = locationOf(response, base);
  if (target === null || target.origin !== base.origin || target.username !== "") return undefined;
  target.hash = "";
  return target;
}
