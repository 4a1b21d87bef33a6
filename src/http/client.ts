import type { NetworkSettings } from "../config/settings.ts";
import type { Environment } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import { program } from "../wire/program-facts.ts";
import type { Certificates, TlsOptions } from "./certificates.ts";
import { placeOf, requireReachable, watchConnecting } from "./connect-probe.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { AffinityCookies } from "./cookies.ts";
import { lookupAddresses } from "./dns.ts";
import { codeOf, isUnknownIssuer, networkError } from "./errors.ts";
import type { InFlightRequests } from "./in-flight.ts";
import { type Route, routeTo } from "./proxy.ts";

/** One HTTP request of the bridge. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
  /** Aborts the request and the reading of its body; the caller gets the signal's reason. */
  readonly signal: AbortSignal;
  /** `false`: the request uses a new connection, which is closed afterwards. */
  readonly keepalive?: boolean;
  /** Whether the server must not execute the request twice; the request then uses no idle connection that the server may be closing. Called only if such a connection may exist. */
  readonly nonIdempotent?: (() => boolean) | undefined;
  /** The checked address to connect to: a second lookup could return an address that was not checked. */
  readonly address?: string;
  /** `false`: the client certificate of the configuration is not shown to this host. */
  readonly showsCertificate?: boolean;
  /** Sends the cookies that belong to the URL, and keeps those that its response sets. */
  readonly cookies?: AffinityCookies | undefined;
}

/**
 * Sends one request and resolves when the response's headers have arrived, whatever the status; never follows a redirect.
 * Rejects with a BridgeError (dns, connection-refused, tls, unreachable, refused, outcome-unknown), or with the signal's reason.
 */
export type Http = (request: HttpRequest) => Promise<Response>;

export interface HttpOptions {
  readonly network: NetworkSettings;
  readonly env: Environment;
  readonly certificates: Certificates;
  /** Longest wait for a connection; undefined: the request's own signal alone bounds it. */
  readonly connectTimeoutMs?: number;
  /** Counts the requests in flight, which shows how long a pooled connection may have been idle. */
  readonly inFlight?: InFlightRequests;
}

const ownFields = {
  "user-agent": `${program.name}/${program.version}`,
  "accept-encoding": "identity",
};

/** Longest wait for the cause of a failed handshake. */
const explainMs = 2000;

/** Facts that all requests to one URL object share. Cached, because computing them takes 0.5 microseconds of a call, and 6 with a proxy and exemptions (measured in process). */
interface Target {
  readonly href: string;
  readonly origin: string;
  readonly isTls: boolean;
  readonly route: Route;
}

/** Connection parameters of one request. */
interface RequestPlan {
  readonly address: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly signal: AbortSignal;
}

/** The only caller of `fetch(`: switches off every dangerous default of Bun (SECURITY.md). */
export function createHttp(options: HttpOptions): Http {
  const { network, certificates, connectTimeoutMs } = options;
  const connectionPool = new ConnectionPool(options.inFlight);
  const targets = new WeakMap<URL, Target>();
  const fields = new WeakMap<HttpRequest["headers"], Headers>();
  const targetOf = (url: URL): Target => {
    const known = targets.get(url);
    if (known !== undefined) return known;
    const { href, origin, protocol } = url;
    const route = routeTo(url, options);
    const target = { href, origin, isTls: protocol === "https:", route };
    targets.set(url, target);
    return target;
  };
  // Bun's Headers are made once for the object that most requests share: most of the 3 microseconds that `#made` in streamable-http.ts saves.
  const fieldsOf = (headers: HttpRequest["headers"]): Headers => {
    const known = fields.get(headers);
    if (known !== undefined) return known;
    const all = new Headers({ ...ownFields, ...headers });
    fields.set(headers, all);
    return all;
  };
  const exchange = (request: HttpRequest, target: Target, plan: RequestPlan): Promise<Response> => {
    const { method, url, body, keepalive, cookies } = request;
    const headers =
      cookies === undefined ? request.headers : cookies.fieldsFor(url, request.headers);
    const { address, signal, tls } = plan;
    const isUsual = address === undefined && request.showsCertificate !== false;
    const init: BunFetchRequestInit = {
      method,
      headers:
        address === undefined ? fieldsOf(headers) : { ...ownFields, host: url.host, ...headers },
      signal,
      redirect: "manual",
      verbose: false,
      decompress: false,
      timeout: false,
      session: connectionPool.session(isUsual ? tls : undefined),
      proxy: target.route.proxy ?? false,
    };
    if (body !== undefined) init.body = body;
    if (keepalive === false) init.keepalive = false;
    if (tls !== undefined && !isUsual) init.tls = unusualTls(tls, request, address);
    return fetch(address === undefined ? target.href : pinned(url, address), init);
  };
  const recover = async (request: HttpRequest, error: unknown): Promise<Response> => {
    const { signal, url } = request;
    if (signal.aborted) throw signal.reason;
    if (error instanceof BridgeError) throw error;
    // The handshake failed, so the server has not seen the request: it may be sent again.
    if (isUnknownIssuer(error) && (await certificates.addSystemStore())) return send(request);
    const failure = networkError(error, url, targetOf(url).route);
    throw await explained(failure, error, request);
  };
  /** The failure with its cause, where that takes a connection of its own to find out. */
  const explained = async (failure: BridgeError, error: unknown, request: HttpRequest) => {
    const { url, method, nonIdempotent } = request;
    const { origin, isTls, route } = targetOf(url);
    // A connection to a server that has answered before broke for another reason.
    const mayBeHandshake =
      isTls && failure.kind === "outcome-unknown" && !connectionPool.knows(origin);
    if (failure.kind !== "tls" && !mayBeHandshake) return failure;
    const { explainTlsError } = await import("./tls-probe.ts");
    const tls = await certificates.options();
    const timeoutMs = Math.min(explainMs, connectTimeoutMs ?? explainMs);
    // A request without such a statement is one to an authorization server: a code or refresh token works once.
    const mayBeExecuted = mayBeHandshake && method === "POST" && nonIdempotent?.() !== false;
    return explainTlsError(failure, codeOf(error), { url, route, tls, timeoutMs, mayBeExecuted });
  };
  /** Sends a request to an origin that has not answered recently: looks up the name, reads certificates, and bounds the wait for the connection. */
  const connect = async (request: HttpRequest): Promise<Response> => {
    const { url, signal } = request;
    const target = targetOf(url);
    let { address } = request;
    if (address === undefined && network.ipFamily !== undefined)
      address = await addressOf(url, network, target.route.proxy);
    const tls = target.isTls ? await certificates.options() : undefined;
    const { origin } = target;
    const { proxy } = target.route;
    if (connectTimeoutMs === undefined || connectionPool.isFresh(origin))
      return exchange(request, target, { address, tls, signal });
    const place = proxy === undefined ? placeOf(url, address) : placeOf(new URL(proxy));
    if (connectionPool.isSilent(origin)) await requireReachable(place, connectTimeoutMs);
    const watch = watchConnecting(place, connectTimeoutMs, connectionPool.knows(origin));
    const either = AbortSignal.any([signal, watch.signal]);
    try {
      return await exchange(request, target, { address, tls, signal: either });
    } catch (error) {
      if (!watch.signal.aborted) throw error;
      connectionPool.noteSilence(origin);
      throw watch.signal.reason;
    } finally {
      watch.done();
    }
  };
  const send: Http = (request) => {
    const { url, address, signal, nonIdempotent } = request;
    const target = targets.get(url);
    if (nonIdempotent !== undefined && target !== undefined)
      connectionPool.dropStale(target.origin, nonIdempotent);
    const tls = target?.isTls === true ? certificates.known : undefined;
    const isFastPath =
      target !== undefined &&
      address === undefined &&
      network.ipFamily === undefined &&
      target.isTls === (tls !== undefined) &&
      connectionPool.isFresh(target.origin);
    const answer = isFastPath
      ? exchange(request, target, { address, tls, signal })
      : connect(request);
    return answer.then(
      (response) => {
        connectionPool.note((target ?? targetOf(url)).origin, response);
        const { headers } = response;
        if (request.cookies !== undefined && headers.has("set-cookie"))
          return request.cookies.keep(response, url).then((kept) => plain(kept, url));
        return headers.has("content-encoding") ? plain(response, url) : response;
      },
      (error) => recover(request, error),
    );
  };
  return send;
}

/** The TLS options of a request to a checked address, or to a host that must not see the client certificate. */
function unusualTls(
  tls: TlsOptions,
  { url, showsCertificate }: HttpRequest,
  address: string | undefined,
): TlsOptions & { readonly serverName?: string } {
  const { cert, key, ...others } = tls;
  return {
    ...others,
    ...(showsCertificate !== false && cert !== undefined && { cert, key }),
    ...(address !== undefined && { serverName: url.hostname }),
  };
}

/** The response, with its body decoded where it has a content coding. */
async function plain(response: Response, url: URL): Promise<Response> {
  if (!response.headers.has("content-encoding")) return response;
  const { decoded } = await import("./content-coding.ts");
  return decoded(response, url);
}

/** The URL with an address in place of its host; the Host header and the certificate check keep the name. */
function pinned(url: URL, address: string): string {
  const target = new URL(url);
  target.hostname = address.includes(":") ? `[${address}]` : address;
  return target.href;
}

/** An address of the configured IP family; undefined where the URL holds an address, or a proxy looks the name up. */
async function addressOf(url: URL, network: NetworkSettings, proxy: string | undefined) {
  if (proxy !== undefined) return undefined;
  const isLiteral = url.hostname.startsWith("[") || /^[\d.]+$/.test(url.hostname);
  return isLiteral ? undefined : (await lookupAddresses(url.hostname, network))[0];
}
