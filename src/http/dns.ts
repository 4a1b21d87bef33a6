import type { NetworkSettings } from "../config/settings.ts";
import { BridgeError } from "../wire/errors.ts";

/** The addresses of a host name, in the resolver's order. Throws `dns`. */
export async function lookupAddresses(
  host: string,
  { ipFamily }: Pick<NetworkSettings, "ipFamily">,
): Promise<string[]> {
  try {
    const found = await Bun.dns.lookup(host, ipFamily === undefined ? {} : { family: ipFamily });
    const addresses = found.map(({ address }) => address);
    if (addresses.length > 0) return addresses;
  } catch {
    // The resolver's text says no more than the error below.
  }
  throw new BridgeError("dns", `the host "${host}" was not found`, {
    hint: "check the URL's host name, the network and the proxy",
    safeToRetry: true,
  });
}
