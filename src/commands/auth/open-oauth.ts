import type { Context } from "../../cli/command.ts";
import { changeHint } from "../../config/change-hint.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import { openHttp } from "../../http/open-http.ts";
import type { OAuth } from "../../oauth/authorizer/open.ts";
import { mayUseOAuth } from "../../oauth/store/grant-owner.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { BridgeError } from "../../wire/errors.ts";

/** Opens the OAuth state of a server (stored credentials, token refresh, authorizer) and its HTTP client. */
export async function openServerOAuth(
  server: ServerSettings,
  context: Context,
): Promise<{ readonly oauth: OAuth; readonly http: Http }> {
  const { env, log, redactor } = context;
  const login = context.commandLine(`login --server ${server.name}`);
  const cache = new ServerCache(cacheFile(server.state), server.url, log);
  const { http } = openHttp(server, { env, log, cache });
  const { openOAuth } = await import("../../oauth/authorizer/open.ts");
  return { oauth: openOAuth(server, { http, env, log, redactor, login }), http };
}

/** Throws `configuration` if the server's entry in config.json excludes OAuth: it sets a token, or `"auth": {"type": "none"}`. */
export function requireOAuth(server: ServerSettings): void {
  const { name, credential } = server;
  if (mayUseOAuth(server)) return;
  const why =
    credential.type === "none" ? "is configured to need no sign-in" : "has a token of its own";
  throw new BridgeError("configuration", `server "${name}" ${why}`, {
    hint: (command) => `${changeHint(server, command)} to change that`,
  });
}
