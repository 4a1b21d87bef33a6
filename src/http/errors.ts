// The errors for requests that got no answer, made from Bun's error codes.
import { BridgeError, type ErrorKind, type Hint, settingHint } from "../wire/errors.ts";
import type { Route } from "./proxy.ts";

interface Failure {
  readonly kind: ErrorKind;
  readonly words: (host: string) => string;
  readonly hint: Hint;
  readonly safeToRetry: boolean;
}

const privateCaHint =
  'if a private CA signed it, name that CA in "network.caFile", or in SSL_CERT_FILE, NODE_EXTRA_CA_CERTS or CODEX_CA_CERTIFICATE';

const untrusted: Failure = {
  kind: "tls",
  words: (host) => `the certificate of "${host}" is not trusted`,
  hint: settingHint(privateCaHint),
  safeToRetry: true,
};

const tryHttps = "if the port speaks TLS, write https:// in the URL";
const brokenHint = "the server may have executed the call: check before you repeat it";

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
    hint: "check the URL's host name and the network; a name of a company's network may need its VPN or its proxy",
    safeToRetry: true,
  },
  ECONNREFUSED: {
    kind: "connection-refused",
    words: (host) => `nothing accepts connections at "${host}"`,
    hint: "check that the server (or proxy) runs and that the port is right",
    safeToRetry: true,
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    ...untrusted,
    words: (host) =>
      `the certificate of "${host}" is not trusted: its issuer is not known here, and the server sent no certificate between them`,
    hint: settingHint(
      `${privateCaHint}; if a public CA did, the server's operator must send the whole chain`,
    ),
  },
  CERT_NOT_YET_VALID: {
    ...untrusted,
    words: (host) => `the certificate of "${host}" is not valid yet`,
    hint: "check this machine's clock",
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
    words: (host) => `the TLS handshake with "${host}" failed`,
    hint: settingHint(
      'check that the port speaks TLS; if the server asks for a client certificate, set "network.clientCertFile"',
    ),
  },
  UnsupportedProxyProtocol: {
    kind: "configuration",
    words: () => "the proxy's protocol is not supported",
    hint: "use an http:// or https:// proxy",
    safeToRetry: true,
  },
  ECONNRESET: {
    kind: "outcome-unknown",
    words: (host) => `the connection to "${host}" broke before an answer came`,
    hint: brokenHint,
    safeToRetry: false,
  },
};

const unreachableCodes = ["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL", "EAI_AGAIN"];

/** Code of an error of Bun or Node; "" without one. */
export const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** Whether the error means a certificate of an unknown issuer. */
export const isUnknownIssuer = (error: unknown) => unknownIssuer.includes(codeOf(error));

/** The status with which a proxy answered CONNECT. */
function tunnelStatusOf(error: unknown): number | undefined {
  const { status } = error as { status?: unknown };
  return typeof status === "number" ? status : undefined;
}

/** The error for a proxy that cannot be reached, or that refuses a tunnel; undefined for any other failure. */
function proxyError(
  error: unknown,
  proxy: string,
  setBy: string,
  host: string,
): BridgeError | undefined {
  const code = codeOf(error);
  const which = `the proxy "${new URL(proxy).host}" (${setBy})`;
  const made = (kind: ErrorKind, message: string, hint: string) =>
    new BridgeError(kind, message, { hint, safeToRetry: true });
  if (code === "ENOTFOUND")
    return made("dns", `${which} was not found`, `check the host name of the proxy in ${setBy}`);
  if (code === "ECONNREFUSED")
    return made(
      "connection-refused",
      `${which} accepts no connections`,
      `check that the proxy runs, and its host and port in ${setBy}`,
    );
  if (unreachableCodes.includes(code))
    return made(
      "unreachable",
      `${which} cannot be reached (${code})`,
      `check the network and ${setBy}`,
    );
  if (code !== "ERR_PROXY_TUNNEL") return undefined;
  const status = tunnelStatusOf(error);
  const byName = `name "${host}" in NO_PROXY if it can be reached directly`;
  if (status !== undefined && status >= 500)
    return made(
      "unreachable",
      `${which} cannot connect to "${host}" (${status})`,
      `check the URL's host and port, or ask the proxy's operator; ${byName}`,
    );
  if (status === 407) return proxySignInError(error, which, proxy, setBy);
  const told = status === undefined ? "" : ` (${status})`;
  return new BridgeError("unreachable", `${which} refused the connection to "${host}"${told}`, {
    hint: `let the proxy's operator allow "${host}", or ${byName}`,
    safeToRetry: true,
    // A repeated request would be refused as well.
    ...(status !== undefined && { status }),
  });
}

/** The error for a proxy that closes the connection: in place of an answer to CONNECT, or after the answer (`isOpened`), where the server behind it may be the one that closes. */
export function closedTunnelError(
  { proxy, setBy }: Route,
  url: URL,
  isOpened: boolean,
): BridgeError {
  const which = `the proxy "${new URL(proxy!).host}" (${setBy})`;
  const when = isOpened ? " before the TLS handshake" : "";
  return new BridgeError("unreachable", `${which} closed the connection to "${url.host}"${when}`, {
    hint: isOpened
      ? `ask the proxy's operator whether "${url.host}" is allowed; the server behind it may have closed it, too`
      : `the fault is the proxy's, not the server's: check ${setBy}, or ask the proxy's operator`,
    safeToRetry: true,
  });
}

/** The error for a proxy that answers CONNECT with 407. The bridge signs in to a proxy with Basic alone (RFC 7617). */
function proxySignInError(error: unknown, which: string, proxy: string, setBy: string) {
  const { headers } = error as { headers?: unknown };
  const offered = headers instanceof Headers ? (headers.get("proxy-authenticate") ?? "") : "";
  const schemes = ["Negotiate", "NTLM", "Digest", "Bearer", "Basic"].filter((scheme) =>
    new RegExp(`\\b${scheme}\\b`, "i").test(offered),
  );
  const made = (what: string, hint: string) =>
    new BridgeError("unreachable", `${which} ${what} (407)`, {
      hint,
      safeToRetry: true,
      status: 407,
    });
  if (schemes.length > 0 && !schemes.includes("Basic"))
    return made(
      "wants a sign-in",
      `it offers ${schemes.join(" and ")} alone: run a local helper such as px or cntlm, and name that in ${setBy}`,
    );
  if (new URL(proxy).username !== "")
    return made(
      "refused the user or the password",
      `correct user and password in ${setBy}; special characters in them are percent-encoded`,
    );
  return made(
    "wants a sign-in",
    `put user and password into ${setBy}, before the proxy's host: USER:PASSWORD@HOST:PORT`,
  );
}

/** The error for a proxy that takes the connection, and then does not answer CONNECT within `silentMs`, or does not speak TLS as its URL says. */
export function proxyHandshakeError(
  { proxy, setBy }: Route,
  silentMs: number | undefined,
): BridgeError {
  const { host, protocol } = new URL(proxy!);
  const which = `the proxy "${host}" (${setBy})`;
  const options = { safeToRetry: true };
  if (silentMs === undefined && protocol === "https:")
    return new BridgeError(
      "tls",
      `${which} does not speak TLS as its URL says, or is not trusted`,
      {
        ...options,
        hint: `if the proxy takes plain connections, write http:// into ${setBy}`,
      },
    );
  const when = silentMs === undefined ? "" : ` within ${silentMs / 1000} s`;
  return new BridgeError("unreachable", `${which} did not answer CONNECT${when}`, {
    ...options,
    hint: `the fault is the proxy's, not the server's: check ${setBy}, or ask the proxy's operator`,
  });
}

/** The error for a server that does not answer a TLS handshake although the connection stands. */
export function silentTlsError({ proxy, setBy }: Route, url: URL, timeoutMs: number): BridgeError {
  const via = proxy === undefined ? "" : ` through the proxy "${new URL(proxy).host}" (${setBy})`;
  return new BridgeError(
    "unreachable",
    `"${url.host}" did not answer a TLS handshake${via} within ${timeoutMs / 1000} s`,
    {
      hint:
        proxy === undefined
          ? "check the port of the URL; a firewall or a VPN may hold back TLS to this host"
          : `ask the proxy's operator whether "${url.host}" is allowed; the server behind it may be the one that is silent`,
      safeToRetry: true,
    },
  );
}

/** The error for a server that closes the connection in place of a TLS handshake. */
export function closedHandshakeError(url: URL): BridgeError {
  return new BridgeError("tls", `"${url.host}" closed the connection in the TLS handshake`, {
    hint: "check host and port of the URL; a firewall that does not let this host pass closes the connection, too",
    safeToRetry: true,
  });
}

/** The error for an http:// proxy whose port speaks TLS. */
export function tlsProxyError({ proxy, setBy }: Route): BridgeError {
  return new BridgeError(
    "tls",
    `the proxy "${new URL(proxy!).host}" (${setBy}) speaks TLS on this port, and its URL says http://`,
    { hint: `write https:// into ${setBy}`, safeToRetry: true },
  );
}

/** The error for a request that got no answer. Made from the code alone, because Bun's text quotes whole URLs. */
export function networkError(error: unknown, url: URL, { proxy, setBy }: Route): BridgeError {
  const code = codeOf(error);
  if (proxy !== undefined) {
    const own = proxyError(error, proxy, setBy ?? "", url.host);
    if (own !== undefined) return own;
  }
  const failure = failures[code] ?? (isUnknownIssuer(error) ? untrusted : undefined);
  if (failure !== undefined) {
    const { kind, words, hint, safeToRetry } = failure;
    // A port that speaks TLS closes a connection that begins with plain HTTP.
    const mayBeTls = code === "ECONNRESET" && url.protocol === "http:";
    return new BridgeError(kind, words(url.host), {
      hint: mayBeTls ? `${brokenHint}; ${tryHttps}` : hint,
      safeToRetry,
    });
  }
  if (unreachableCodes.includes(code))
    return new BridgeError("unreachable", `"${url.host}" cannot be reached (${code})`, {
      hint: "check the network and the proxy",
      safeToRetry: true,
    });
  if (/CERT|TLS|SSL/.test(code))
    return new BridgeError("tls", `no trusted connection to "${url.host}" (${code})`, {
      hint: untrusted.hint,
      safeToRetry: true,
    });
  return new BridgeError(
    "outcome-unknown",
    `the connection to "${url.host}" failed (${code || "no code"})`,
    { hint: brokenHint },
  );
}
