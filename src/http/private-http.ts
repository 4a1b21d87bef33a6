import { abortable } from "../platform/async.ts";
import { BridgeError } from "../wire/errors.ts";
import type { Http } from "./client.ts";
import { isPrivateNetwork, reachOf } from "./ip-address.ts";

/** Addresses that are tried, one after another, if connections fail. */
const maxAddresses = 3;

/**
 * `http`, with plain http to private addresses alone (`allowHttp`). Every address of a name is judged for every request, and the
 * request goes to a judged address with the name as Host: a name whose addresses change meanwhile (DNS rebinding) is
 * refused. Requests by https pass unchanged. `lookUp` resolves to all addresses of a name.
 */
export function privateHttp(
  http: Http,
  lookUp: (host: string) => Promise<readonly string[]>,
): Http {
  return async (request) => {
    const { url, signal } = request;
    if (url.protocol !== "http:") return http(request);
    if (reachOf(url.hostname) !== undefined) {
      requirePrivate(url, [url.hostname]);
      return http(request);
    }
    const addresses = await abortable(lookUp(url.hostname), signal);
    requirePrivate(url, addresses);
    for (const address of addresses.slice(0, maxAddresses)) {
      try {
        return await http({ ...request, address });
      } catch (error) {
        const isLast = address === addresses.at(Math.min(addresses.length, maxAddresses) - 1);
        if (isLast || !(error instanceof BridgeError && error.safeToRetry)) throw error;
      }
    }
    throw new BridgeError("dns", `the host "${url.host}" was not found`, { safeToRetry: true });
  };
}

function requirePrivate({ host }: URL, addresses: readonly string[]): void {
  const other = addresses.find((address) => !isPrivateNetwork(address));
  if (other === undefined) return;
  throw new BridgeError("refused", `"${host}" is at ${other}, which is no private address`, {
    hint: '"allowHttp" is for private networks: use https, or a tunnel (ssh -L)',
  });
}
