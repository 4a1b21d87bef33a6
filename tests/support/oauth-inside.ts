import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { type OAuth, openOAuth } from "../../src/oauth/authorizer/open.ts";
import type { GuardedHttp, GuardedRequest } from "../../src/oauth/core/ssrf-guard.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "./client.ts";
import { settingsOf } from "./settings.ts";

/** The OAuth part of a server in this process, over real sockets. */
export function oauthInside(
  folder: string,
  entry: object,
  env: Record<string, string> = {},
): OAuth & {
  readonly log: ReturnType<typeof memoryLog>;
} {
  const server = settingsOf(entry, `${folder}/.codex-mcp-bridge`);
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

/** A fetch that returns fixed documents: JSON or a status for each URL, 404 for others. */
export function documents(
  known: Record<string, unknown>,
): GuardedHttp & { readonly asked: string[] } {
  const asked: string[] = [];
  const http = async ({ url }: GuardedRequest) => {
    asked.push(url.href);
    const found = known[url.href];
    if (found === undefined) return new Response("not here", { status: 404 });
    if (typeof found === "function") return found();
    if (typeof found === "number") return new Response("", { status: found });
    return Response.json(found);
  };
  return Object.assign(http, { asked });
}
