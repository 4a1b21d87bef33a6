import type { NetworkSettings } from "../config/settings.ts";
import { BridgeError, settingHint } from "../wire/errors.ts";
import { codeOf } from "./errors.ts";

/** The addresses of a host name, in the resolver's order. Throws `dns`. */
export async function lookupAddresses(
  host: string,
  { ipFamily }: Pick<NetworkSettings, "ipFamily">,
): Promise<string[]> {
  try {
    const found = await Bun.dns.lookup(host, ipFamily === undefined ? {} : { family: ipFamily });
    const addresses = found.map(({ address }) => address);
    if (addresses.length > 0) return addresses;
  } catch (error) {
    if (ipFamily !== undefined && (await hasAddress(host))) throw noneOfFamily(host, ipFamily);
    throw notFound(host, codeOf(error));
  }
  throw notFound(host, "no address");
}

const hasAddress = (host: string) =>
  Bun.dns.lookup(host).then(
    (found) => found.length > 0,
    () => false,
  );

function noneOfFamily(host: string, family: 4 | 6): BridgeError {
  return new BridgeError("dns", `the host "${host}" has no IPv${family} address`, {
    hint: settingHint(`remove "network.ipFamily": ${family} from the configuration`),
    safeToRetry: true,
  });
}

function notFound(host: string, why: string): BridgeError {
  const told = why === "" ? "" : ` (${why})`;
  return new BridgeError("dns", `the host "${host}" was not found${told}`, {
    hint: "check the URL's host name and the network; a name of a company's network may need its VPN or its proxy",
    safeToRetry: true,
  });
}
