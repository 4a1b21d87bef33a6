import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { Certificates } from "../../http/certificates.ts";
import { createHttp, type Http } from "../../http/client.ts";
import { loggedHttp } from "../../http/request-log.ts";
import type { OAuth } from "../../oauth/authorizer/open.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { BridgeError } from "../../wire/errors.ts";

/** The OAuth side of a server for a command, and the way to the network it takes. */
export async function openServerOAuth(
  server: ServerSettings,
  context: Context,
): Promise<{ readonly oauth: OAuth; readonly http: Http }> {
  const { env, log, redactor } = context;
  const login = context.commandLine(`login --server ${server.name}`);
  const cache = new ServerCache(cacheFile(server.state), server.url, log);
  const certificates = new Certificates(server.network, env, cache, log);
  const { network, connectTimeoutMs } = server;
  const bare = createHttp({ network, env, certificates, connectTimeoutMs });
  const http = loggedHttp(bare, log, server.name);
  const { openOAuth } = await import("../../oauth/authorizer/open.ts");
  return { oauth: openOAuth(server, { http, env, log, redactor, login }), http };
}

/** Throws `configuration` where the entry says that nobody signs in to this server. */
export function requireOAuth({ name, credential }: ServerSettings): void {
  if (credential.type === "unset" || credential.type === "oauth") return;
  const why =
    credential.type === "none" ? "is configured to need no sign-in" : "has a token of its own";
  throw new BridgeError("configuration", `server "${name}" ${why}`, {
    hint: (command) => `run ${command(`setup --server ${name}`)} to change that`,
  });
}
