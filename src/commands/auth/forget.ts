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
  const paths = context.paths();
  const server = await findServer(paths, word);
  await forgetStored(server, context);
  removeFile(approvedFile(server.state));
  if (server.adHoc !== undefined) removeAdHoc(server);
  else {
    await changeConfig(paths, (raw) => {
      delete raw.servers?.[server.name];
    });
  }
  return server;
}
