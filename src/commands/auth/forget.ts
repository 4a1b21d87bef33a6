import type { Context } from "../../cli/command.ts";
import { configuredName, loadConfig } from "../../config/load.ts";
import { changeConfig } from "../../config/save.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { removeFile } from "../../platform/files.ts";
import { cacheFile } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";

/** Deletes a server's stored sign-in, from the file or the keyring, and its cache file. Throws `configuration`. */
export async function forgetStored(server: ServerSettings, context: Context): Promise<void> {
  const { log, redactor } = context;
  const { CredentialStore } = await import("../../oauth/store/store.ts");
  const { openKeyring } = await import("../../platform/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  await store.locked(() => store.forget());
  removeFile(cacheFile(server.state));
}

/**
 * Removes a server from config.json and deletes its stored sign-in and cache. Resolves to the server's name as config.json
 * writes it. Throws `configuration`.
 */
export async function removeServer(name: string, context: Context): Promise<string> {
  const config = await loadConfig(context.paths());
  const configured = configuredName(config.raw, name);
  const server = configured === undefined ? undefined : config.servers.get(configured);
  if (server === undefined) {
    const names = [...config.servers.keys()];
    throw new BridgeError("configuration", `server ${JSON.stringify(name)} is not configured`, {
      hint: names.length === 0 ? "no server is configured" : `configured: ${names.join(", ")}`,
    });
  }
  await forgetStored(server, context);
  await changeConfig(config.paths, (raw) => {
    delete raw.servers?.[server.name];
  });
  return server.name;
}
