import { parseConfig } from "../../src/config/load.ts";
import type { ServerSettings } from "../../src/config/settings.ts";
import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { type OAuth, openOAuth } from "../../src/oauth/authorizer/open.ts";
import type { GuardedHttp, GuardedRequest } from "../../src/oauth/core/ssrf-guard.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "./client.ts";

/** One server's settings, as the configuration would give them. */
function settingsOf(folder: string, entry: object): ServerSettings {
  const text = JSON.stringify({ version: 1, servers: { kb: entry } });
  return parseConfig(text, homeOf({ HOME: folder })).servers.get("kb")!;
}

/** The OAuth side of a server inside the test's own process, over the real network. */
export function oauthInside(
  folder: string,
  entry: object,
  env: Record<string, string> = {},
): OAuth & {
  readonly log: ReturnType<typeof memoryLog>;
} {
  const server = settingsOf(folder, entry);
  const log = memoryLog();
  const cache = new ServerCache(undefined, server.url, log);
  const certificates = new Certificates(server.network, env, cache, log);
  const http = createHttp({ network: server.network, env, certificates });
  return {
    ...openOAuth(server, {
      http,
      env,
      log,
      redactor: new Redactor(),
      login: "codex-mcp-http-bridge login --server kb",
    }),
    log,
  };
}

/** A network of fixed documents: a URL's JSON, or a status; everything else is 404. */
export function documents(
  known: Record<string, unknown>,
): GuardedHttp & { readonly asked: string[] } {
  const asked: string[] = [];
  const http = async ({ url }: GuardedRequest) => {
    asked.push(url.href);
    const found = known[url.href];
    if (found === undefined) return new Response("not here", { status: 404 });
    if (typeof found === "number") return new Response("", { status: found });
    return Response.json(found);
  };
  return Object.assign(http, { asked });
}
