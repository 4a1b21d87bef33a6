import { isLoopback } from "../../config/validators.ts";
import type { Http, HttpRequest } from "../../http/client.ts";
import { isLinkLocal, isLocalName, type Reach, reachOf } from "../../http/ip-address.ts";
import { BridgeError } from "../../wire/errors.ts";

/** A request for an OAuth document or to an OAuth endpoint. */
export interface GuardedRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The authorization server that the request belongs to; undefined for the documents of the MCP server. */
  readonly issuer?: string;
  readonly signal: AbortSignal;
}

/**
 * Sends a request to a host that a server named. Resolves to the answer with its body read; throws a
 * BridgeError: `refused` (insecure, private address, redirect), `too-large`, `timeout`, or an error of Http.
 */
export type GuardedHttp = (request: GuardedRequest) => Promise<Response>;

export interface SsrfGuardOptions {
  readonly http: Http;
  /** The addresses of a host name, in the order to try them. */
  readonly lookup: (host: string) => Promise<readonly string[]>;
  /** The configured MCP server; its authorization server may be in the same network. */
  readonly server: URL;
  /** Host names that the user trusts; with a port, that port only. */
  readonly trustedHosts: readonly string[];
  /** Whether a request goes through a proxy. The proxy then resolves the host name, so that only literal addresses can be checked here. */
  readonly proxied: (url: URL) => boolean;
  /** Whether a URL's host may see the configured client certificate; `issuer` as in GuardedRequest. */
  readonly showsCertificate: (url: URL, issuer: string | undefined) => Promise<boolean>;
  /** Time limit from the first byte sent to the last byte read; default 12,000. */
  readonly timeoutMs?: number;
}

const maxBytes = 1024 * 1024;
const trustHint = (url: URL) =>
  `if you trust that host, add "${url.hostname}" to "auth.trustedHosts"`;

function refuse(message: string, hint?: string): BridgeError {
  return new BridgeError("refused", message, hint === undefined ? {} : { hint });
}

async function readBounded(response: Response, host: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new BridgeError(
        "too-large",
        `"${host}" sent more than 1 MiB in place of a small document`,
      );
    }
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Makes the guard that every OAuth request passes: https, no redirect, no private address, 1 MiB, 12 s (SSRF, CVE-2025-6514). */
export function createSsrfGuard(options: SsrfGuardOptions): GuardedHttp {
  const { http, server, trustedHosts, lookup } = options;
  const isTrusted = (url: URL) =>
    url.host === server.host ||
    trustedHosts.some((host) => host === url.hostname || host === url.host);
  let serverReach: Promise<Reach> | undefined;

  /** The network of the configured server. The user chose that network, so OAuth requests may enter it as well. */
  const ownReach = () => {
    serverReach ??= (async () => {
      if (isLocalName(server.hostname)) return "loopback";
      const literal = reachOf(server.hostname);
      if (literal !== undefined) return literal;
      const addresses = await lookup(server.hostname).catch(() => []);
      // Every address must be private: a hostile owner could add one private address to a public name.
      const isInside = addresses.every((address) => reachOf(address) === "private");
      return addresses.length > 0 && isInside ? "private" : "public";
    })();
    return serverReach;
  };

  async function checkReach(reach: Reach, address: string, url: URL): Promise<void> {
    if (reach === "public" || isTrusted(url)) return;
    if (!isLinkLocal(address) && reach === (await ownReach())) return;
    const where = reach === "loopback" ? "this machine" : "a private network";
    throw refuse(
      `"${url.host}" is an address of ${where}, named by a server outside it`,
      trustHint(url),
    );
  }

  /** Checks the URL's host. Resolves to the checked addresses to connect to, or to undefined if the request connects by the URL itself. */
  async function addressesOf(url: URL): Promise<readonly string[] | undefined> {
    if (isLocalName(url.hostname)) {
      await checkReach("loopback", url.hostname, url);
      return undefined;
    }
    const literal = reachOf(url.hostname);
    if (literal !== undefined) {
      await checkReach(literal, url.hostname, url);
      return undefined;
    }
    if (options.proxied(url) || isTrusted(url)) return undefined;
    const addresses = await lookup(url.hostname);
    for (const address of addresses) await checkReach(reachOf(address) ?? "private", address, url);
    return addresses;
  }

  function checkScheme(url: URL): void {
    if (url.username !== "" || url.password !== "")
      throw refuse(`the URL of "${url.host}" holds a password`);
    if (url.protocol === "https:") return;
    const mayBePlain = isLoopback(url) && (isLoopback(server) || isTrusted(url));
    if (url.protocol === "http:" && mayBePlain) return;
    throw refuse(
      `"${url.host}" is not reached by https`,
      "ask the server's operator for https URLs",
    );
  }

  async function send(request: HttpRequest, addresses: readonly string[] | undefined) {
    if (addresses === undefined) return http(request);
    let failure: unknown = new BridgeError("dns", `the host "${request.url.host}" was not found`, {
      safeToRetry: true,
    });
    for (const address of addresses.slice(0, 3)) {
      try {
        return await http({ ...request, address });
      } catch (error) {
        if (!(error instanceof BridgeError && error.safeToRetry)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  return async ({ method, url, headers = {}, body, issuer, signal }) => {
    const timeoutMs = options.timeoutMs ?? 12_000;
    const timeoutError = new BridgeError(
      "timeout",
      `"${url.host}" did not answer within ${timeoutMs / 1000} s`,
    );
    const clock = new AbortController();
    const timer = setTimeout(() => clock.abort(timeoutError), timeoutMs);
    try {
      checkScheme(url);
      const both = AbortSignal.any([signal, clock.signal]);
      const addresses = await addressesOf(url);
      const response = await send(
        {
          method,
          url,
          headers,
          ...(body !== undefined && { body }),
          signal: both,
          keepalive: false,
          showsCertificate: await options.showsCertificate(url, issuer),
        },
        addresses,
      );
      try {
        if (response.status >= 300 && response.status < 400) {
          throw refuse(
            `"${url.host}" answered an OAuth request with a redirect, which is not followed`,
          );
        }
        const text = await readBounded(response, url.host);
        return new Response(hasBody(response.status) ? text : null, {
          status: response.status,
          headers: response.headers,
        });
      } finally {
        await response.body?.cancel().catch(() => {});
      }
    } catch (error) {
      if (clock.signal.aborted) throw timeoutError;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Statuses that the Response constructor takes no body for. */
function hasBody(status: number): boolean {
  return ![101, 204, 205, 304].includes(status);
}
