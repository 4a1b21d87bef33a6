import { join } from "node:path";
import type { Context } from "../../cli/command.ts";
import { parseConfig, pickServer } from "../../config/load.ts";
import type { KnownServer } from "../../config/validated-cache.ts";
import { homeOf } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { withTempFolder } from "../../platform/temp-folder.ts";
import { startDemoServer } from "../demo/server.ts";

type Bridge = (server: KnownServer) => Promise<number>;

/** Runs the bridge for the built-in demo server, which runs in this process until the client closes stdin. */
export async function serveDemo(bridge: Bridge, context: Context): Promise<number> {
  const server = startDemoServer();
  try {
    return await withTempFolder(async (folder) => {
      const servers = { demo: { url: server.url.href, token: server.token } };
      const paths = homeOf(context.env, join(folder, "config.json"));
      const config = await parseConfig(JSON.stringify({ version: 1, servers }), paths);
      const settings = pickServer(config, "demo");
      return bridge({ settings, cache: new ServerCache(undefined, settings.url, context.log) });
    });
  } finally {
    await server.stop();
  }
}
