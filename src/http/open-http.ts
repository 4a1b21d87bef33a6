import { requireAllowed } from "../config/requirements.ts";
import { needsAllowHttp, requireUrlVariables } from "../config/server-url.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { Log } from "../platform/log.ts";
import type { Environment } from "../platform/paths.ts";
import type { ServerCache } from "../platform/server-cache.ts";
import { Certificates } from "./certificates.ts";
import { createHttp, type Http } from "./client.ts";
import { lookupAddresses } from "./dns.ts";
import { InFlightRequests } from "./in-flight.ts";
import { privateHttp } from "./private-http.ts";
import { loggedHttp } from "./request-log.ts";

export interface OpenHttpOptions {
  readonly env: Environment;
  readonly log: Log;
  /** Remembers whether the server needs the system's certificates. */
  readonly cache: ServerCache;
}

/**
 * The HTTP client with one server's network settings, and the counter of its requests in flight. Throws `configuration` for an
 * unset variable of the URL, `refused` if the machine's policy forbids the server.
 */
export function openHttp(
  settings: ServerSettings,
  { env, log, cache }: OpenHttpOptions,
): {
  readonly http: Http;
  readonly inFlight: InFlightRequests;
  readonly certificates: Certificates;
} {
  const { network, connectTimeoutMs, url } = settings;
  requireAllowed(settings);
  requireUrlVariables(settings, env);
  const certificates = new Certificates(network, env, cache, log);
  const inFlight = new InFlightRequests();
  const http = createHttp({ network, env, certificates, connectTimeoutMs, inFlight });
  const lookUp = (host: string) => lookupAddresses(host, network);
  const judged = needsAllowHttp(url) ? privateHttp(http, lookUp) : http;
  return { http: loggedHttp(judged, log, settings), inFlight, certificates };
}
