// Which proxy a request takes, told by the configuration or by the variables that curl and the run time know.

import type { NetworkSettings } from "../config/settings.ts";
import type { Environment } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import { unbracketed } from "./connect-probe.ts";

/** What decides about a proxy. */
interface ProxyOptions {
  readonly network: NetworkSettings;
  readonly env: Environment;
}

/**
 * The proxy for a URL, as an http:// or https:// URL; undefined where none is set or NO_PROXY names the host.
 * Throws `configuration` where it is no HTTP proxy: the run time would ignore SOCKS and connect directly.
 */
export function proxyFor(url: URL, { network, env }: ProxyOptions): string | undefined {
  const names = [`${url.protocol.slice(0, -1)}_proxy`, "all_proxy"];
  const spellings = names.flatMap((name) => [name, name.toUpperCase()]);
  const variable = spellings.find((name) => env[name]);
  const proxy = network.proxy ?? (variable && env[variable]);
  if (proxy === undefined || isExempt(url, env.no_proxy || env.NO_PROXY || "")) return undefined;
  if (/^socks/i.test(proxy))
    throw wrongProxy("SOCKS proxies are not supported", "set an http:// proxy in HTTPS_PROXY");
  // As curl takes it: without a scheme it is http.
  const parsed = URL.parse(proxy.includes("//") ? proxy : `http://${proxy}`);
  if (parsed !== null && ["http:", "https:"].includes(parsed.protocol)) return parsed.href;
  throw wrongProxy(
    `${variable} is not the address of an HTTP proxy`,
    `set ${variable} to http://HOST:PORT`,
  );
}

/** The value is not quoted: it may hold a password. */
function wrongProxy(what: string, how: string): BridgeError {
  const hint = `${how}, or "network.proxy" of the server`;
  return new BridgeError("configuration", what, { hint, safeToRetry: true });
}

/** Whether a list as NO_PROXY holds it names the URL's host. */
function isExempt(url: URL, list: string): boolean {
  const host = unbracketed(url.hostname);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const [, name = entry, wanted = port] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
      const domain = name.replace(/^\*?\.|^\[|\]$/g, "");
      if (entry === "*") return true;
      if (domain === "" || wanted !== port) return false;
      return host === domain || host.endsWith(`.${domain}`) || isInNetwork(host, domain);
    });
}

/** Whether an IPv4 address lies in a network such as 10.0.0.0/8. */
function isInNetwork(address: string, network: string): boolean {
  const [base = "", bits] = network.split("/");
  if (bits === undefined || ![address, base].every((text) => /^[\d.]+$/.test(text))) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(address) / size) === Math.floor(numberOf(base) / size);
}

const numberOf = (address: string) =>
  address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
