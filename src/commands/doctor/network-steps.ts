// The steps between this machine and the server's port: name, route, TCP, TLS. Each asks the code that `run` connects with.
import { X509Certificate } from "node:crypto";
import { shownServerUrl } from "../../config/server-url.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { Certificates } from "../../http/certificates.ts";
import { type Place, placeOf, tryConnection, unreachable } from "../../http/connect-probe.ts";
import { lookupAddresses } from "../../http/dns.ts";
import {
  networkError,
  proxyHandshakeError,
  silentTlsError,
  tlsProxyError,
} from "../../http/errors.ts";
import { isAddress, unbracketed } from "../../http/ip-address.ts";
import { type Route, routeTo } from "../../http/proxy.ts";
import { type CertificateFacts, probeTls, type TlsReport } from "../../http/tls-probe.ts";
import type { Environment } from "../../platform/paths.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { shellWord } from "../../wire/text.ts";
import type { FirstAnswer } from "./first-request.ts";
import { expiryText } from "./token-facts.ts";
import { type Finding, skipped, type Walk } from "./walk.ts";

export interface NetworkFacts {
  readonly settings: ServerSettings;
  /** The environment that Codex gives the bridge. */
  readonly env: Environment;
  readonly certificates: Certificates;
  /** Sends the first request of `run`; resolves to the answer, or to the failure for which none came. */
  readonly request: () => Promise<FirstAnswer | BridgeError>;
}

/** Addresses of one name that are tried. */
const maxAddresses = 6;
/** A port that speaks TLS answers a handshake at once. */
const tlsGuessMs = 1000;
const dayMs = 86_400_000;
const soonDays = 14;

const direct: Route = { proxy: undefined, setBy: undefined };

/** Walks name, route, TCP and TLS. */
export async function walkNetwork(walk: Walk, facts: NetworkFacts): Promise<void> {
  const { settings, env } = facts;
  const { url, network } = settings;
  let route: Route | BridgeError;
  try {
    route = routeTo(url, { network, env });
  } catch (error) {
    route = asBridgeError(error);
  }
  let addresses: string[] = [];
  await walk.step("name", async () => {
    const host = unbracketed(url.hostname);
    if (isAddress(host, 4) || isAddress(host, 6)) {
      addresses = [host];
      return skipped(`${host} is an address`);
    }
    if (route instanceof BridgeError) return skipped("not looked up: the route is not known");
    if (route.proxy !== undefined) return skipped(`${host} is looked up by the proxy`);
    addresses = await lookupAddresses(host, network);
    return { detail: `${host} is ${addresses.slice(0, maxAddresses).join(", ")}` };
  });
  await walk.step("route", () => routeFinding(route, facts));
  const known = route as Route;
  await walk.step("TCP", () =>
    known.proxy === undefined
      ? tcpFinding(addresses, facts)
      : skipped("the proxy connects to the server"),
  );
  await walk.step("TLS", () => tlsFinding(known, facts));
}

async function routeFinding(route: Route | BridgeError, facts: NetworkFacts): Promise<Finding> {
  if (route instanceof BridgeError) throw route;
  const { proxy, setBy } = route;
  const { url, connectTimeoutMs, network } = facts.settings;
  if (proxy === undefined)
    return { detail: setBy === undefined ? "direct" : `direct, since ${setBy} names the host` };
  const place = placeOf(new URL(proxy));
  const fail = (code: string) => networkError(Object.assign(new Error(), { code }), url, route);
  await lookupAddresses(place.hostname, network).catch(() => {
    throw fail("ENOTFOUND");
  });
  const { serverName: _, ...plain } = place;
  const { outcome, code } = await tryConnection(plain, connectTimeoutMs);
  if (outcome === "silent") throw fail("ETIMEDOUT");
  if (outcome === "refused") throw fail(code ?? "ECONNREFUSED");
  const via = `through the proxy ${new URL(proxy).host} (${setBy})`;
  if (url.protocol === "http:") return { detail: via };
  const { tunnelStatus, failure, version, isAtProxy } = await probeTls({
    url,
    route,
    tls: await facts.certificates.options(),
    timeoutMs: connectTimeoutMs,
  });
  if (isAtProxy === true && failure !== "ERR_PROXY_TUNNEL")
    throw proxyHandshakeError(route, failure === "ETIMEDOUT" ? connectTimeoutMs : undefined);
  const isClosed = tunnelStatus === undefined && version === undefined && failure === "ECONNRESET";
  if (tunnelStatus === undefined && !isClosed) return { detail: `${via}, which opens a tunnel` };
  if (tunnelStatus === 0 && (await speaksTls(plain))) throw tlsProxyError(route);
  // The request itself has the words.
  const answer = await facts.request();
  throw answer instanceof BridgeError ? answer : fail("ERR_PROXY_TUNNEL");
}

/** Whether a port answers a TLS handshake. */
async function speaksTls(place: Omit<Place, "serverName">): Promise<boolean> {
  const tls = { ...place, serverName: place.hostname };
  return (await tryConnection(tls, tlsGuessMs)).outcome === "connected";
}

/** Connects to each address. Throws if none answers; one that does not answer beside one that does is a warning. */
export async function tcpFinding(
  addresses: readonly string[],
  facts: NetworkFacts,
): Promise<Finding> {
  const { url, connectTimeoutMs } = facts.settings;
  const tried = await Promise.all(
    [...new Set(addresses)].slice(0, maxAddresses).map(async (address) => {
      const { serverName: _, ...place } = placeOf(url, address);
      return { ...(await tryConnection(place, connectTimeoutMs)), address, place };
    }),
  );
  const good = tried.filter(({ outcome }) => outcome === "connected");
  const bad = tried.filter(({ outcome }) => outcome !== "connected");
  const [dead] = bad;
  if (good.length === 0 && dead !== undefined) {
    const silent = bad.find(({ outcome }) => outcome === "silent");
    if (silent !== undefined)
      throw unreachable(
        { ...silent.place, hostname: unbracketed(url.hostname) },
        connectTimeoutMs,
        false,
      );
    const code = dead.code ?? "ECONNREFUSED";
    throw networkError(Object.assign(new Error(), { code }), url, direct);
  }
  const { port } = placeOf(url);
  if (url.protocol === "http:") await refuseTlsPort(facts);
  const family = good.some(({ address }) => address.includes(":")) ? 6 : 4;
  const deadList = bad.map(({ address, code }) => `${address} (${code ?? "no answer"})`).join(", ");
  return {
    detail: `connected to ${good.map(({ address }) => address).join(", ")}, port ${port}`,
    warnings:
      dead === undefined
        ? []
        : [`${deadList} cannot be reached: "network.ipFamily": ${family} leaves it out`],
  };
}

/** Throws if the port of an http URL speaks TLS: the request then fails without a reason, or is answered with 400 as nginx, Apache and Go do. */
async function refuseTlsPort({ settings, request }: NetworkFacts): Promise<void> {
  const { url, name } = settings;
  const outcome = await request();
  const mayBeTls = outcome instanceof BridgeError || outcome.response.status === 400;
  if (!mayBeTls || !(await speaksTls(placeOf(url)))) return;
  const [secure = ""] = shownServerUrl(settings)
    .replace(/^http:/, "https:")
    .split("?");
  throw new BridgeError("tls", `"${url.host}" speaks TLS on this port, and the URL says http://`, {
    hint: (command) =>
      settings.adHoc === undefined
        ? `write https://: ${command(`setup --server ${name} --url ${shellWord(secure)}`)}`
        : `write ${secure} in the client's entry`,
  });
}

async function tlsFinding(route: Route, facts: NetworkFacts): Promise<Finding> {
  const { url, connectTimeoutMs: timeoutMs } = facts.settings;
  if (url.protocol === "http:") return skipped("not used: the URL says http://");
  const probe = async () =>
    probeTls({ url, route, tls: await facts.certificates.options(), timeoutMs });
  const requireAnswer = ({ version, failure }: TlsReport) => {
    if (version === undefined && failure === "ETIMEDOUT")
      throw silentTlsError(route, url, timeoutMs);
  };
  // The request waits far longer for a handshake behind a proxy.
  if (route.proxy !== undefined) requireAnswer(await probe());
  const outcome = await facts.request();
  if (outcome instanceof BridgeError && outcome.kind === "tls") throw outcome;
  const report = await probe();
  requireAnswer(report);
  const [leaf] = report.chain;
  if (leaf === undefined || report.version === undefined)
    throw outcome instanceof BridgeError ? outcome : unreachable(placeOf(url), timeoutMs, false);
  const now = Date.now();
  const days = (leaf.validUntil - now) / dayMs;
  const root = report.chain.at(-1)!;
  const names = leaf.names.length > 3 ? [...leaf.names.slice(0, 3), "..."] : leaf.names;
  const source = await sourceOf(root, facts.certificates);
  return {
    detail: `${report.version}, for ${names.join(", ") || leaf.subject}, issued by "${leaf.issuer}", ${expiryText(leaf.validUntil, now)}, root "${root.subject}" (${source})`,
    warnings:
      days < soonDays ? [`the server's certificate ${expiryText(leaf.validUntil, now)}`] : [],
  };
}

/** Which list of roots holds a certificate. */
async function sourceOf(root: CertificateFacts, certificates: Certificates): Promise<string> {
  const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
  for (const { source, texts } of await certificates.sources())
    for (const text of texts)
      for (const [pem] of text.matchAll(block)) {
        try {
          if (new X509Certificate(pem).fingerprint256 === root.fingerprint) return source;
        } catch {
          // A block that is no certificate.
        }
      }
  return "not in the lists here";
}
