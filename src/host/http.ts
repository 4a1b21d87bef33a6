import { BridgeError, type ErrorKind } from "../wire/errors.ts";
import { program } from "../wire/program.ts";
import type { Certificates } from "./certificates.ts";
import { isLoopback } from "./config-rules.ts";
import { lookupAddresses } from "./dns.ts";
import type { Environment } from "./paths.ts";
import { placeOf, watchConnecting } from "./reach.ts";
import type { NetworkSettings } from "./settings.ts";
import { Warmth } from "./warmth.ts";

/** One HTTP request of the bridge. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Ends the request and the reading of its body; its reason is what the caller gets. */
  readonly signal: AbortSignal;
  /** `false`: a connection of its own, closed afterwards. */
  readonly keepalive?: boolean;
  /** True: may not be executed twice, so it takes no connection that the server may be closing just now. */
  readonly once?: boolean;
  /** The address to connect to in place of looking the host up again, so that what was judged is what is used. */
  readonly address?: string;
}

/**
 * Sends one request and resolves to the answer's head, whatever its status; never follows a redirect.
 * Rejects with a BridgeError (dns, connection-refused, tls, unreachable, refused, outcome-unknown), or with the signal's reason.
 */
export type Http = (request: HttpRequest) => Promise<Response>;

export interface HttpOptions {
  readonly network: NetworkSettings;
  readonly env: Environment;
  readonly certificates: Certificates;
  /** Longest wait for a connection; without it only the request's own signal bounds it. */
  readonly connectTimeoutMs?: number;
}

const userAgent = `${program.name}/${program.version}`;

/** What is the same for every request to a URL: its parts are read, and the environment is, once. */
interface Route {
  readonly href: string;
  readonly origin: string;
  readonly isTls: boolean;
  readonly loopback: boolean;
  readonly proxy: string | undefined;
}

/** The one place where `fetch(` stands: every hazard of the run time is switched off here (SECURITY.md). */
export function createHttp(options: HttpOptions): Http {
  const { network, certificates, connectTimeoutMs } = options;
  const warmth = new Warmth();
  const routes = new WeakMap<URL, Route>();
  const routeTo = (url: URL): Route => {
    const known = routes.get(url);
    if (known !== undefined) return known;
    const loopback = isLoopback(url);
    const proxy = loopback ? undefined : proxyFor(url, options);
    const { href, origin, protocol } = url;
    const route = { href, origin, isTls: protocol === "https:", loopback, proxy };
    routes.set(url, route);
    return route;
  };
  const send = async (request: HttpRequest): Promise<Response> => {
    const { method, url, headers, body, signal, keepalive, once } = request;
    const { href, origin, isTls, loopback, proxy } = routeTo(url);
    let { address } = request;
    if (address === undefined && network.ipFamily !== undefined)
      address = await addressOf(url, network, proxy);
    const tls = isTls ? await certificates.options() : undefined;
    if (once === true) warmth.dropStale(origin);
    const watch =
      connectTimeoutMs === undefined || warmth.knows(origin)
        ? undefined
        : watchConnecting(
            proxy === undefined ? placeOf(url, address) : placeOf(new URL(proxy)),
            connectTimeoutMs,
          );
    try {
      const response = await fetch(address === undefined ? href : pinned(url, address), {
        method,
        headers: {
          "user-agent": userAgent,
          "accept-encoding": "identity",
          ...(address !== undefined && { host: url.host }),
          ...headers,
        },
        ...(body !== undefined && { body }),
        signal: watch === undefined ? signal : AbortSignal.any([signal, watch.signal]),
        redirect: "manual",
        verbose: false,
        decompress: false,
        timeout: false,
        session: warmth.pool,
        ...(keepalive === false && { keepalive }),
        ...(tls && { tls: address === undefined ? tls : { ...tls, serverName: url.hostname } }),
        ...(loopback ? { proxy: false } : network.proxy && { proxy: network.proxy }),
      } as BunFetchRequestInit);
      warmth.note(origin, response);
      return response;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (watch?.signal.aborted) throw watch.signal.reason;
      // Nothing was sent: the handshake ends before the request.
      if (isUnknownIssuer(error) && (await certificates.widen())) return send(request);
      throw networkError(error, url);
    } finally {
      watch?.done();
    }
  };
  return send;
}

/** The URL with its host replaced by an address; Host and the certificate stay those of the name. */
function pinned(url: URL, address: string): string {
  const target = new URL(url);
  target.hostname = address.includes(":") ? `[${address}]` : address;
  return target.href;
}

/** An address of the wanted family; undefined where the run time may choose, or the proxy does. */
async function addressOf(url: URL, network: NetworkSettings, proxy: string | undefined) {
  if (proxy !== undefined) return undefined;
  const isLiteral = url.hostname.startsWith("[") || /^[\d.]+$/.test(url.hostname);
  return isLiteral ? undefined : (await lookupAddresses(url.hostname, network))[0];
}

/** The proxy that is set for a URL, NO_PROXY aside. Throws where it is SOCKS: Bun would ignore it and connect directly. */
function proxyFor(url: URL, { env, network }: HttpOptions): string | undefined {
  const names = [`${url.protocol.slice(0, -1)}_proxy`, "all_proxy"];
  const proxy =
    network.proxy ??
    names.flatMap((name) => [env[name], env[name.toUpperCase()]]).find((value) => value);
  if (proxy?.toLowerCase().startsWith("socks") !== true) return proxy;
  throw new BridgeError("configuration", "SOCKS proxies are not supported", {
    hint: 'set an http:// proxy in HTTPS_PROXY or in "network.proxy"',
    notSent: true,
  });
}

interface Failure {
  readonly kind: ErrorKind;
  readonly words: (host: string) => string;
  readonly hint: string;
  readonly notSent: boolean;
}

const untrusted: Failure = {
  kind: "tls",
  words: (host) => `the certificate of "${host}" is not trusted`,
  hint: 'if a private CA signed it, name that CA in "network.caFile" or SSL_CERT_FILE',
  notSent: true,
};

const brokenHint = "the server may or may not have done it: check before you repeat the call";

const unknownIssuer = [
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
];

const failures: Readonly<Record<string, Failure>> = {
  ENOTFOUND: {
    kind: "dns",
    words: (host) => `the host "${host}" was not found`,
    hint: "check the URL's host name, the network and the proxy",
    notSent: true,
  },
  ECONNREFUSED: {
    kind: "connection-refused",
    words: (host) => `nothing accepts connections at "${host}"`,
    hint: "check that the server (or proxy) runs and that the port is right",
    notSent: true,
  },
  CERT_HAS_EXPIRED: {
    ...untrusted,
    words: (host) => `the certificate of "${host}" has expired`,
    hint: "check this machine's clock, else the server's operator must renew it",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    ...untrusted,
    words: (host) => `the certificate is not for "${host}"`,
    hint: "use the host name that the certificate names",
  },
  EPROTO: {
    ...untrusted,
    words: (host) => `no TLS connection to "${host}" came about`,
    hint: "check that the port speaks TLS; if the server asks for a client certificate, set network.clientCertFile",
  },
  UnsupportedProxyProtocol: {
    kind: "configuration",
    words: () => "the proxy's protocol is not supported",
    hint: "use an http:// or https:// proxy",
    notSent: true,
  },
  ERR_PROXY_TUNNEL: {
    kind: "unreachable",
    words: (host) => `the proxy refused the connection to "${host}"`,
    hint: "check the proxy's credentials and rules",
    notSent: true,
  },
  ECONNRESET: {
    kind: "outcome-unknown",
    words: (host) => `the connection to "${host}" broke before an answer came`,
    hint: brokenHint,
    notSent: false,
  },
};

const unreachableCodes = ["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL", "EAI_AGAIN"];

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : "";
const isUnknownIssuer = (error: unknown) => unknownIssuer.includes(codeOf(error));

/** What went wrong on the way, told by the code alone: the run time's text quotes whole URLs. */
function networkError(error: unknown, url: URL): BridgeError {
  const code = codeOf(error);
  const failure = isUnknownIssuer(error) ? untrusted : failures[code];
  if (failure !== undefined) {
    const { kind, words, hint, notSent } = failure;
    return new BridgeError(kind, words(url.host), { hint, notSent });
  }
  if (unreachableCodes.includes(code))
    return new BridgeError("unreachable", `"${url.host}" cannot be reached (${code})`, {
      hint: "check the network and the proxy",
      notSent: true,
    });
  if (/CERT|TLS|SSL/.test(code))
    return new BridgeError("tls", `no trusted connection to "${url.host}" (${code})`, {
      hint: untrusted.hint,
      notSent: true,
    });
  return new BridgeError(
    "outcome-unknown",
    `the connection to "${url.host}" failed (${code || "no code"})`,
    { hint: brokenHint },
  );
}
