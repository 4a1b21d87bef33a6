import type { Context } from "../../cli/command.ts";
import { findServer, removeAdHoc } from "../../config/ad-hoc.ts";
import { changeConfig } from "../../config/save.ts";
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

/** Removes configured servers, as removeServer() does, with one change of config.json. Throws `configuration`. */
export async function removeServers(
  servers: readonly ServerSettings[],
  context: Context,
): Promise<void> {
  for (const server of servers) await forgetAll(server, context);
  await changeConfig(context.paths(), (raw) => {
    for (const { name } of servers) delete raw.servers?.[name];
  });
}
