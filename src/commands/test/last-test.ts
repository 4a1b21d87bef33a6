import type { ServerSettings } from "../../config/settings.ts";
import { isInstant } from "../../oauth/core/grant.ts";
import type { Log } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";

/** The outcome of the last `test` of a server. */
export interface LastTest {
  /** When it ended, in ms since 1970. */
  readonly at: number;
  /** Number of tools; undefined if the test failed. */
  readonly tools?: number;
}

/** Key of the outcome in the server's cache file. */
const cacheKeyName = "lastTest";

const cacheOf = ({ state, url }: ServerSettings, log: Log) =>
  new ServerCache(cacheFile(state), url, log);

/** Keeps the outcome in the server's cache. */
export function saveLastTest(server: ServerSettings, outcome: LastTest, log: Log): void {
  const cache = cacheOf(server, log);
  cache.set(cacheKeyName, outcome);
  cache.flush();
}

/** The outcome of the last test; undefined if the server was never tested. */
export function readLastTest(server: ServerSettings, log: Log): LastTest | undefined {
  const { at, tools } = (cacheOf(server, log).get(cacheKeyName) ?? {}) as Partial<LastTest>;
  if (!isInstant(at)) return undefined;
  return { at, ...(Number.isSafeInteger(tools) && tools! >= 0 && { tools: tools! }) };
}
