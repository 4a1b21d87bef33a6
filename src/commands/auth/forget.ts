import type { Context } from "../../cli/command.ts";
import { configuredName, loadConfig } from "../../config/load.ts";
import { changeConfig } from "../../config/save.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { removeFile } from "../../platform/files.ts";
import { cacheFile } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";

/** Forgets a server's sign-in, in the file or the keyring, and its cache. Throws `configuration`. */
export async function forgetStored(server: ServerSettings, context: Context): Promise<void> {
  const { log, redactor } = context;
  const { CredentialStore } = await import("../../oauth/store/store.ts");
  const { openKeyring } = await import("../../platform/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  await store.locked(() => store.forget());
  removeFile(cacheFile(server.state));
}

/** Removes a server from the configuration and forgets its sign-in and cache; returns its name as it is written there. */
export async function removeServer(name: string, context: Context): Promise<string> {
  const config = await loadConfig(context.paths());
  const found = configuredName(config.raw, name);
  const server = found === undefined ? undefined : config.servers.get(found);
  if (server === undefined) {
    const names = [...config.servers.keys()];
    throw new BridgeError("configuration", `server ${JSON.stringify(name)} is not configured`, {
      hint: names.length === 0 ? "there is none" : `configured: ${names.join(", ")}`,
    });
  }
  await forgetStored(server, context);
  await changeConfig(config.paths, (raw) => {
    delete raw.servers?.[server.name];
  });
  return server.name;
}
