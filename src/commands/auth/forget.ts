import type { Context } from "../../cli/command.ts";
import { findServer, removeAdHoc } from "../../config/ad-hoc.ts";
import { changeConfig } from "../../config/save.ts";
import type { ServerEntry } from "../../config/schema.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { removeFile } from "../../platform/files.ts";
import { approvedFile, cacheFile } from "../../platform/paths.ts";

/** Deletes a server's stored sign-in, from the file or the keyring, and its cache file. Throws `configuration`. */
export async function forgetStored(server: ServerSettings, context: Context): Promise<void> {
  const { log, redactor } = context;
  const { CredentialStore } = await import("../../oauth/store/store.ts");
  const { openKeyring } = await import("../../platform/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  await store.locked(() => store.forget());
  removeFile(cacheFile(server.state));
}

/** Removes a server: its entry in config.json, or server.json of an ad hoc server, its stored sign-in, its cache and its approvals. Resolves to the server. Throws `configuration`. */
export async function removeServer(word: string, context: Context): Promise<ServerSettings> {
  const server = await findServer(context.paths(), word);
  if (server.adHoc === undefined) await removeServers([server], context);
  else {
    await forgetAll(server, context);
    removeAdHoc(server);
  }
  return server;
}

async function forgetAll(server: ServerSettings, context: Context): Promise<void> {
  await forgetStored(server, context);
  removeFile(approvedFile(server.state));
}

/**
 * Removes configured servers, as removeServer() does, with one change of config.json; resolves to the removed ones.
 * `mayRemove` judges each entry under the lock of config.json. Throws `configuration`; a server of which a part could not be
 * removed is then still configured, so that the removal can be repeated.
 */
export async function removeServers(
  servers: readonly ServerSettings[],
  context: Context,
  mayRemove: (name: string, entry: ServerEntry) => boolean = () => true,
): Promise<readonly ServerSettings[]> {
  if (servers.length === 0) return [];
  const entries = new Map<ServerSettings, ServerEntry>();
  let order: readonly string[] = [];
  await changeConfig(context.paths(), (raw) => {
    order = Object.keys(raw.servers ?? {});
    for (const server of servers) {
      const entry = raw.servers?.[server.name];
      if (entry === undefined || !mayRemove(server.name, entry)) continue;
      entries.set(server, entry);
      delete raw.servers?.[server.name];
    }
  });
  // Only now: if config.json cannot be written, every entry keeps its sign-in.
  const left = new Map(entries);
  try {
    for (const server of entries.keys()) {
      await forgetAll(server, context);
      left.delete(server);
    }
  } catch (error) {
    await changeConfig(context.paths(), (raw) => {
      const now = new Map(Object.entries(raw.servers ?? {}));
      for (const [{ name }, entry] of left) if (!now.has(name)) now.set(name, entry);
      const names = new Set([...order, ...now.keys()]);
      raw.servers = Object.fromEntries(
        [...names].flatMap((name) => (now.has(name) ? [[name, now.get(name)!]] : [])),
      );
    });
    throw error;
  }
  return [...entries.keys()];
}
