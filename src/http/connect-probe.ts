// Test connections: whether an address answers, how fast, and with which certificate.
import { BridgeError, settingHint } from "../wire/errors.ts";
import { unbracketed } from "./ip-address.ts";

/** Where a connection goes first: the server, or the proxy in front of it. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
  /** Server name for the TLS handshake; undefined if the connection begins without TLS. */
  readonly serverName?: string;
}

/** Result of an attempt to connect. */
interface ConnectionFacts {
  /** `refused`: something answered, but no connection was established. */
  readonly outcome: "connected" | "refused" | "silent";
  /** Time to the outcome. */
  readonly ms: number;
  /** The address that was connected to. */
  readonly address?: string | undefined;
  /** Code of a refusal (ECONNREFUSED, ENOTFOUND, ...). */
  readonly code?: string | undefined;
  readonly tls?: TlsFacts;
}

/** What a server shows in its TLS handshake, whether it is trusted or not. */
interface TlsFacts {
  readonly version: string;
  /** Common name, or else organization, of the certificate's issuer. */
  readonly issuer: string;
  /** Names and addresses that the certificate is for, as `DNS:host` and `IP Address:1.2.3.4`. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly validUntil: number;
}

/** Host and port of a URL. A connection to a proxy begins without TLS, unless the proxy's own URL is https. */
export function placeOf(url: URL, address = url.hostname): Place {
  const isTls = url.protocol === "https:";
  return {
    hostname: unbracketed(address),
    port: Number(url.port) || (isTls ? 443 : 80),
    ...(isTls && { serverName: unbracketed(url.hostname) }),
  };
}

/** Connects, does the TLS handshake if `serverName` is set, and closes the connection without sending a request. Never rejects. */
export async function tryConnection(
  { hostname, port, serverName }: Place,
  timeoutMs: number,
): Promise<ConnectionFacts> {
  const startedAt = performance.now();
  const { promise, resolve } = Promise.withResolvers<Omit<ConnectionFacts, "ms">>();
  const timer = setTimeout(resolve, timeoutMs, { outcome: "silent" });
  const refused = (error?: Error) => resolve({ outcome: "refused", code: codeOf(error) });
  const socket = Bun.connect({
    hostname,
    port,
    // Nothing is sent on it, so it need not be trusted.
    tls: serverName === undefined ? false : { rejectUnauthorized: false, serverName },
    socket: {
      open: ({ remoteAddress }) => {
        if (serverName === undefined) resolve({ outcome: "connected", address: remoteAddress });
      },
      handshake: (open, hasSucceeded) => {
        const address = open.remoteAddress;
        const tls = hasSucceeded ? { tls: tlsFacts(open) } : {};
        resolve({ outcome: hasSucceeded ? "connected" : "refused", address, ...tls });
      },
      data: () => undefined,
      error: (_, error) => refused(error),
      close: () => refused(),
      connectError: (_, error) => refused(error),
    },
  }).catch(() => undefined);
  const found = await promise;
  clearTimeout(timer);
  void socket.then((open) => open?.terminate());
  return { ...found, ms: performance.now() - startedAt };
}

const codeOf = (error: Error | undefined) =>
  error !== undefined && "code" in error ? String(error.code) : undefined;

function tlsFacts(socket: Bun.Socket<unknown>): TlsFacts {
  const { issuer, subjectaltname = "", valid_to } = socket.getPeerCertificate();
  return {
    version: socket.getTLSVersion(),
    issuer: [issuer?.CN ?? issuer?.O ?? ""].flat().join(", "),
    names: subjectaltname.split(", "),
    validUntil: Date.parse(valid_to),
  };
}

/** Watches one request until it is connected. */
interface Watch {
  /** Aborts with a BridgeError `unreachable`. */
  readonly signal: AbortSignal;
  /** Ends the watch: the request was answered or has failed. */
  done(): void;
}

/**
 * Aborts a request that is not connected within `ms`. Bun does not report when a request is connected, so after half the
 * time the watch opens a test connection; if that succeeds, the server is only slow. A server that `hasAnswered` before
 * may be too busy for a TLS handshake, so none is tried; it may have received the request on an older connection.
 */
export function watchConnecting(place: Place, ms: number, hasAnswered: boolean): Watch {
  const stop = new AbortController();
  let isDone = false;
  const { serverName, ...plain } = place;
  const timer = setTimeout(async () => {
    const { outcome } = await tryConnection(hasAnswered ? plain : place, ms / 2);
    if (!isDone && outcome === "silent") stop.abort(unreachable(place, ms, hasAnswered));
  }, ms / 2);
  return {
    signal: stop.signal,
    done: () => {
      isDone = true;
      clearTimeout(timer);
    },
  };
}

/** Longest wait for a place that did not answer the last time: a working network answers far sooner. */
const silentMs = 1000;

/** Connects to a place that did not answer the last time, before a request is sent there. Throws `unreachable`. */
export async function requireReachable(place: Place, connectTimeoutMs: number): Promise<void> {
  const ms = Math.min(silentMs, connectTimeoutMs / 2);
  const { outcome } = await tryConnection(place, ms);
  if (outcome === "silent") throw unreachable(place, ms, false);
}

/** The error for a place that did not answer within `ms`. */
export function unreachable(place: Place, ms: number, mayBeSent: boolean): BridgeError {
  const host = `${place.hostname.includes(":") ? `[${place.hostname}]` : place.hostname}:${place.port}`;
  return new BridgeError("unreachable", `no connection to "${host}" within ${ms / 1000} s`, {
    hint: mayBeSent
      ? "the server may have executed the call: check before you repeat it, and check the network and the proxy"
      : settingHint(
          'a firewall may drop the packets, or a VPN may be needed: check the network and the proxy, or raise "connectTimeoutSec"',
        ),
  });
}
