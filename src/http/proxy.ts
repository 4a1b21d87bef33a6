// Selects the proxy of a request: from the configuration, or from the environment variables that curl knows.

import type { NetworkSettings } from "../config/settings.ts";
import { isLoopback } from "../config/validators.ts";
import type { Environment } from "../platform/paths.ts";
import { BridgeError, settingHint } from "../wire/errors.ts";
import { cleanText } from "../wire/text.ts";
import { isAddress, isInNetwork, networkOf } from "./ip-address.ts";

/** The settings that select a proxy. */
interface ProxyOptions {
  readonly network: NetworkSettings;
  readonly env: Environment;
}

/** How connections to a URL are made. */
export interface Route {
  /** http:// or https:// URL of the proxy; undefined: straight to the server. */
  readonly proxy: string | undefined;
  /** The variable or configuration key that selected the route; undefined if none is set. */
  readonly setBy: string | undefined;
}

/** The route to a URL. Throws `configuration` where a proxy is set that is no HTTP proxy (Bun would ignore SOCKS and connect directly), or NO_PROXY is malformed. */
export function routeTo(url: URL, { network, env }: ProxyOptions): Route {
  // Plain http goes to this machine, or to a private network (`allowHttp`): no proxy may read it.
  if (isLoopback(url) || url.protocol === "http:") return { proxy: undefined, setBy: undefined };
  const names = [`${url.protocol.slice(0, -1)}_proxy`, "all_proxy"];
  const variable = isSet(env, ...names.flatMap((name) => [name, name.toUpperCase()]));
  const proxy = network.proxy ?? (variable && env[variable]);
  if (proxy === undefined) return { proxy, setBy: undefined };
  const exemptions = isSet(env, "no_proxy", "NO_PROXY");
  if (exemptions !== undefined && isExempt(url, exemptions, env[exemptions]!))
    return { proxy: undefined, setBy: exemptions };
  const setBy = network.proxy === undefined ? variable : '"network.proxy"';
  if (/^socks/i.test(proxy))
    throw wrongProxy("SOCKS proxies are not supported", "set an http:// proxy in HTTPS_PROXY");
  // As in curl, a value without a scheme means http.
  const parsed = URL.parse(proxy.includes("//") ? proxy : `http://${proxy}`);
  if (parsed !== null && ["http:", "https:"].includes(parsed.protocol))
    return { proxy: parsed.href, setBy };
  throw wrongProxy(
    `${setBy} is not the address of an HTTP proxy`,
    `set ${setBy} to http://HOST:PORT`,
  );
}

const isSet = (env: Environment, ...names: readonly string[]) => names.find((name) => env[name]);

/** The error does not quote the variable's value, which may hold a password. */
function wrongProxy(what: string, how: string): BridgeError {
  const hint = settingHint(`${how}, or "network.proxy" of the server`);
  return new BridgeError("configuration", what, { hint, safeToRetry: true });
}

/** Whether the list in `variable` names the URL's host. Every entry is read: a malformed one is refused, wherever it stands. */
function isExempt(url: URL, variable: string, list: string): boolean {
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== "");
  return entries.map((entry) => matcherOf(entry, variable)).some((matches) => matches(url));
}

type Matcher = (url: URL) => boolean;

/** Reads `*`, `NAME`, `.NAME`, `*.NAME`, an address (each with or without `:PORT`) or a network such as 10.0.0.0/8. */
function matcherOf(entry: string, variable: string): Matcher {
  if (entry === "*") return () => true;
  const network = networkOf(entry);
  if (network !== undefined) return ({ hostname }) => isInNetwork(hostname, network);
  const bracketed = isAddress(entry, 6) ? `[${entry}]` : entry;
  const parts =
    /^(?:\*?\.)?([\p{L}\p{N}_][\p{L}\p{N}\p{M}._-]*|\[[\da-f:.]+\])(?::(\d{1,5}))?$/iu.exec(
      bracketed,
    );
  const [, name = "", port] = parts ?? [];
  const host = URL.parse(`https://${name}/`)?.hostname;
  // A URL's host completes addresses: "192.168." would be 192.0.0.168.
  const isOther = host !== undefined && isAddress(host, 4) && host !== name;
  if (host === undefined || isOther || Number(port ?? 0) > 65_535) throw malformed(entry, variable);
  const exempt = withoutDot(host);
  return (url) => {
    const asked = withoutDot(url.hostname);
    const isPort = port === undefined || Number(port) === portOf(url);
    return isPort && (asked === exempt || asked.endsWith(`.${exempt}`));
  };
}

/** A name in its absolute form ends with a dot. */
const withoutDot = (host: string) => (host.endsWith(".") ? host.slice(0, -1) : host);

const portOf = ({ port, protocol }: URL) => Number(port) || (protocol === "https:" ? 443 : 80);

function malformed(entry: string, variable: string): BridgeError {
  return new BridgeError(
    "configuration",
    `${variable} holds a malformed entry: "${cleanText(entry, 100)}"`,
    {
      hint: `write host names, addresses or networks such as 10.0.0.0/8 into ${variable}, separated by commas`,
      safeToRetry: true,
    },
  );
}
