// A TLS handshake of our own, for what a failed or good request does not tell: versions, certificates, roots. Through the
// proxy's tunnel where the request goes through one. Nothing is sent inside, so the server need not be trusted.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { BridgeError, type Hint, settingHint } from "../wire/errors.ts";
import { cleanText } from "../wire/text.ts";
import type { TlsOptions } from "./certificates.ts";
import { closedHandshakeError, closedTunnelError, codeOf } from "./errors.ts";
import { isAddress, unbracketed } from "./ip-address.ts";
import type { Route } from "./proxy.ts";

/** One certificate, of the server or of the roots here. */
export interface CertificateFacts {
  /** Common name, or else organization. */
  readonly subject: string;
  readonly issuer: string;
  /** Names and addresses that it is for. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validUntil: number;
  /** SHA-256 as in X509Certificate.fingerprint256. */
  readonly fingerprint: string;
  /** Whether it tells where its issuer's certificate can be had (RFC 5280 4.2.2.1), as those of public CAs do. */
  readonly namesIssuerFile: boolean;
}

/** The outcome of a handshake. */
export interface TlsReport {
  /** `TLSv1.3`; undefined if there was no handshake. */
  readonly version?: string | undefined;
  /** The server's certificate first; ends with the root if that is trusted here. */
  readonly chain: readonly CertificateFacts[];
  /** Code for which the handshake, or the request behind it, failed. */
  readonly failure?: string | undefined;
  /** The proxy's answer to CONNECT where it opened no tunnel: a status, or 0 if it closed the connection. */
  readonly tunnelStatus?: number;
  /** Whether `failure` is that of the connection to the proxy, or of its answer to CONNECT. */
  readonly isAtProxy?: boolean;
}

export interface ProbeRequest {
  readonly url: URL;
  readonly route: Route;
  readonly tls: TlsOptions | undefined;
  readonly timeoutMs: number;
  /** Whether the server's old versions of TLS are tried instead, which the bridge itself never uses. */
  readonly old?: boolean;
}

/** Wait for an alert after the handshake: with TLS 1.3 a server refuses the client's certificate only then. */
const alertWaitMs = 250;

/** Does one handshake. Never rejects. */
export async function probeTls(request: ProbeRequest): Promise<TlsReport> {
  const { url, tls, timeoutMs, old } = request;
  const deadline = Promise.withResolvers<TlsReport>();
  const timer = setTimeout(deadline.resolve, timeoutMs, { chain: [], failure: "ETIMEDOUT" });
  const raw = await Promise.race([openRaw(request), deadline.promise]);
  if (!("write" in raw)) {
    clearTimeout(timer);
    return { ...raw, isAtProxy: request.route.proxy !== undefined };
  }
  const host = unbracketed(url.hostname);
  const versions = old ? { minVersion: "TLSv1" as const, maxVersion: "TLSv1.1" as const } : {};
  const socket = connectTls({
    ...tls,
    ...versions,
    socket: raw,
    rejectUnauthorized: false,
    ...serverName(host),
    // As Bun's fetch offers it.
    ALPNProtocols: ["http/1.1"],
  });
  const report = await Promise.race([handshake(socket), deadline.promise]);
  clearTimeout(timer);
  socket.destroy();
  raw.destroy();
  return report;
}

/** The name for a handshake; an address must not stand there (RFC 6066 3). */
const serverName = (host: string) =>
  isAddress(host, 4) || isAddress(host, 6) ? {} : { servername: host };

/** The connection on which the handshake is done, or the report where there is none. */
async function openRaw({ url, route: { proxy } }: ProbeRequest): Promise<Socket | TlsReport> {
  const { hostname, port } = url;
  const host = unbracketed(hostname);
  if (proxy === undefined) return connected(connectTcp(Number(port) || 443, host));
  const { hostname: proxyHost, port: proxyPort, protocol, username, password } = new URL(proxy);
  const isTls = protocol === "https:";
  const place = { host: unbracketed(proxyHost), port: Number(proxyPort) || (isTls ? 443 : 80) };
  const raw = isTls ? connectTls({ ...place, ...serverName(place.host) }) : connectTcp(place);
  const socket = await connected(raw);
  if (!("write" in socket)) return socket;
  const target = `${hostname}:${port || 443}`;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const login = username === "" ? "" : `Proxy-Authorization: Basic ${btoa(user)}\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login}\r\n`);
  const status = await tunnelStatus(socket);
  if (status === 200) return socket;
  socket.destroy();
  return { chain: [], failure: "ERR_PROXY_TUNNEL", tunnelStatus: status };
}

function connected(socket: Socket): Promise<Socket | TlsReport> {
  return new Promise((resolve) => {
    const ready = "authorized" in socket ? "secureConnect" : "connect";
    socket.once(ready, () => resolve(socket));
    socket.once("error", (error) => resolve({ chain: [], failure: codeOf(error) }));
  });
}

/** Status of the answer to CONNECT; 0 if the connection was closed without one. */
function tunnelStatus(socket: Socket): Promise<number> {
  let head = "";
  return new Promise((resolve) => {
    const end = (status: number) => {
      socket.off("data", onData);
      resolve(status);
    };
    const onData = (bytes: Buffer) => {
      head += bytes.toString("latin1");
      if (head.includes("\r\n\r\n")) end(Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0));
    };
    socket.on("data", onData);
    socket.once("error", () => end(0));
    socket.once("close", () => end(0));
  });
}

function handshake(socket: TLSSocket): Promise<TlsReport> {
  return new Promise((resolve) => {
    let report: TlsReport = { chain: [] };
    const end = (failure?: string) => resolve({ ...report, ...(failure && { failure }) });
    socket.once("secureConnect", () => {
      const { authorizationError } = socket;
      report = {
        version: socket.getProtocol() ?? undefined,
        chain: chainOf(socket.getPeerCertificate(true)),
      };
      if (authorizationError) end(String(authorizationError));
      else setTimeout(end, alertWaitMs);
    });
    socket.on("error", (error) => end(codeOf(error)));
    socket.once("close", () => end("ECONNRESET"));
  });
}

function chainOf(leaf: DetailedPeerCertificate): CertificateFacts[] {
  const chain: CertificateFacts[] = [];
  const seen = new Set<string>();
  for (
    let at: DetailedPeerCertificate | undefined = leaf;
    at?.subject !== undefined && !seen.has(at.fingerprint256);
    at = at.issuerCertificate
  ) {
    seen.add(at.fingerprint256);
    chain.push({
      subject: nameOf(at.subject),
      issuer: nameOf(at.issuer),
      names: (at.subjectaltname ?? "")
        .split(", ")
        .map((name) => cleanText(name.replace(/^(DNS|IP Address):/, ""), 100))
        .filter((name) => name !== ""),
      validFrom: Date.parse(at.valid_from),
      validUntil: Date.parse(at.valid_to),
      fingerprint: at.fingerprint256,
      namesIssuerFile: JSON.stringify(at.infoAccess ?? {}).includes("CA Issuers"),
    });
  }
  return chain;
}

function nameOf({ CN, O }: { readonly CN?: unknown; readonly O?: unknown }): string {
  return cleanText([CN ?? O ?? ""].flat().join(", "), 100);
}

/** An instant for people: date and time of UTC, to the minute. */
const shownTime = (ms: number) =>
  Number.isNaN(ms)
    ? "a time that cannot be read"
    : `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;

const shownNames = 4;

function namesText(names: readonly string[]): string {
  const more = names.length - shownNames;
  return `${names.slice(0, shownNames).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Words for one cause of a failed handshake. */
interface Cause {
  readonly message: string;
  readonly hint: Hint;
}

/** Codes of alerts with which a server refuses a client without a certificate. */
const wantsCertificate = [
  "ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED",
  "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
  "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
  "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
  "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
];

async function causeOf(code: string, request: ProbeRequest): Promise<Cause | undefined> {
  const report = await probeTls(request);
  const { host } = request.url;
  const [leaf] = report.chain;
  const failure = code === "EPROTO" ? report.failure : code;
  if (failure === "CERT_HAS_EXPIRED" || failure === "CERT_NOT_YET_VALID") {
    if (leaf === undefined) return undefined;
    const now = Date.now();
    // An intermediate may be the one that has expired.
    const dead = report.chain.find((one) => one.validUntil < now || one.validFrom > now) ?? leaf;
    const when =
      dead.validFrom > now
        ? `is not valid before ${shownTime(dead.validFrom)}`
        : `has expired on ${shownTime(dead.validUntil)}`;
    return {
      message: `the certificate of "${host}" ${when}; this machine's clock says ${shownTime(now)}`,
      hint: "if the clock is right, the server's operator must renew the certificate",
    };
  }
  if (failure === "ERR_TLS_CERT_ALTNAME_INVALID" && leaf !== undefined)
    return {
      message: `the certificate is not for "${host}" but for ${namesText(leaf.names) || leaf.subject}`,
      hint: "use a host name that the certificate names, or ask the server's operator",
    };
  if (failure === "UNABLE_TO_VERIFY_LEAF_SIGNATURE" && leaf?.namesIssuerFile === true)
    return {
      message: `"${host}" sends an incomplete chain: the certificate of "${leaf.issuer}", between its own and the root, is missing`,
      hint: "the server's operator must send the intermediate certificate, too",
    };
  if (failure === "ERR_SSL_WRONG_VERSION_NUMBER")
    return {
      message: `"${host}" does not speak TLS on this port`,
      hint: "check the port of the URL; a server on this machine may need http:// in place of https://",
    };
  if (failure === "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION") {
    const old = await probeTls({ ...request, old: true });
    return {
      message: `"${host}" offers ${old.version ?? "an old version of TLS"} only; TLSv1.2 or TLSv1.3 is needed`,
      hint: "the server's operator must switch on TLS 1.2 or 1.3",
    };
  }
  if (failure === "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL")
    return {
      message: `"${host}" offers HTTP/2 only; HTTP/1.1 is needed`,
      hint: "the server's operator must offer HTTP/1.1, too, or put a proxy in front of the server",
    };
  return certificateCause(failure, host);
}

const setCertificate = 'set "network.clientCertFile" and "network.clientKeyFile" of the server';

/** The cause where the server refuses the client for its certificate. */
function certificateCause(failure: string | undefined, host: string): Cause | undefined {
  if (failure === undefined || !wantsCertificate.includes(failure)) return undefined;
  return {
    message: `"${host}" wants a client certificate, or does not take the configured one`,
    hint: settingHint(setCertificate),
  };
}

/**
 * The error of a failed connection with its cause, as far as a handshake of our own finds it: of a failed handshake, or of a
 * new connection that was closed without an answer. `code`: Bun's code of the failure. `mayBeExecuted`: the request must not
 * be executed twice; a handshake that fails now does not prove that the request's did, so only a refused certificate counts.
 */
export async function explainTlsError(
  error: BridgeError,
  code: string,
  { mayBeExecuted, ...request }: ProbeRequest & { readonly mayBeExecuted: boolean },
): Promise<BridgeError> {
  const { url, route } = request;
  let cause: Cause | undefined;
  if (error.kind === "tls") cause = await causeOf(code, request);
  else {
    const { tunnelStatus, version, failure } = await probeTls(request);
    // With TLS 1.3 the refusal of a certificate comes after the handshake, as an alert that Bun's fetch does not report.
    cause = certificateCause(failure, url.host);
    if (mayBeExecuted && cause === undefined) return error;
    const isReset = failure === "ECONNRESET";
    if (isReset && version !== undefined)
      cause = {
        message: `"${url.host}" closed the connection right after the TLS handshake`,
        hint: settingHint(`if it wants another client certificate, ${setCertificate}`),
      };
    const isClosed = tunnelStatus === 0 || (version === undefined && isReset);
    // A proxy may also accept CONNECT and then close: the handshake ends before it has begun.
    if (isClosed)
      return route.proxy === undefined
        ? closedHandshakeError(url)
        : closedTunnelError(route, url, tunnelStatus === undefined);
  }
  if (cause === undefined) return error;
  return new BridgeError("tls", cause.message, {
    hint: cause.hint,
    safeToRetry: !mayBeExecuted,
    cause: error,
  });
}
