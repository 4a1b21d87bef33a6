import type { ServerSettings } from "../config/settings.ts";
import type { Log } from "../platform/log.ts";
import { shownUrl } from "../platform/redact.ts";
import { BridgeError } from "../wire/errors.ts";
import type { Http } from "./client.ts";

const namesOf = (headers: Headers) => [...headers.keys()].join(",");

/**
 * `http` with a debug line for each request: method, URL without the values of its query, status, sizes in
 * bytes, time to the answer's head in milliseconds, names of headers; never a value. Costs nothing below debug.
 */
export function loggedHttp(
  http: Http,
  log: Log,
  { name: server, urlTemplate }: Pick<ServerSettings, "name" | "urlTemplate">,
): Http {
  if (!log.writes("debug")) return http;
  return async (request) => {
    const startedAt = performance.now();
    const { method, url, headers, body } = request;
    const facts = {
      server,
      method,
      // The path may hold the value of a variable.
      url: urlTemplate === undefined ? shownUrl(url) : url.origin,
      headers: namesOf(new Headers(headers)),
      ...(body !== undefined && { sent: Buffer.byteLength(body) }),
    };
    const ms = () => Math.round(performance.now() - startedAt);
    try {
      const response = await http(request);
      const length = response.headers.get("content-length");
      log.debug("http", {
        ...facts,
        status: response.status,
        ms: ms(),
        ...(length !== null && { bytes: Number(length) }),
        answered: namesOf(response.headers),
      });
      return response;
    } catch (error) {
      const failed = error instanceof BridgeError ? error.kind : "stopped";
      log.debug("http", { ...facts, ms: ms(), failed });
      throw error;
    }
  };
}
