import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { createLog, type Log } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import type { Upstream } from "../../upstream/core/types.ts";
import { openServer } from "../../upstream/open-server.ts";

/**
 * The chain to one server for a command that asks it without a child `run` and without a client: no answer from the
 * catalog, no wait for a server that is down, no sign-in, no stand-in.
 */
export function openDirectly(
  settings: ServerSettings,
  context: Context,
): { readonly upstream: Upstream; readonly cache: ServerCache; readonly log: Log } {
  const { redactor } = context;
  // The lines of an ordinary connection would stand between the lines of the command.
  const log = context.log.writes("debug")
    ? context.log
    : createLog({ level: "error", format: "text", redactor });
  const cache = new ServerCache(cacheFile(settings.state), settings.url, log);
  const { upstream } = openServer(settings, {
    ...context,
    log,
    cache,
    client: { name: "", capabilities: "{}", protocolVersion: "" },
    ask: () => new Promise(() => undefined),
    mayAnswer: false,
    waitsForStart: false,
    signIn: undefined,
    onFailure: "error",
  });
  return { upstream, cache, log };
}
