import { Certificates } from "../../src/host/certificates.ts";
import { parseConfig } from "../../src/host/config.ts";
import { createHttp } from "../../src/host/http.ts";
import { Memory } from "../../src/host/memory.ts";
import { homeOf } from "../../src/host/paths.ts";
import { Redactor } from "../../src/host/redact.ts";
import type { ServerSettings } from "../../src/host/settings.ts";
import type { GuardedHttp, GuardedRequest } from "../../src/oauth/guard.ts";
import { type OAuth, openOAuth } from "../../src/oauth/open.ts";
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
  const memory = new Memory(undefined, server.url, log);
  const certificates = new Certificates(server.network, env, memory, log);
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
