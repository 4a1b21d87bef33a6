import { removeFile } from "../host/files.ts";
import { cacheFile } from "../host/paths.ts";
import type { ServerSettings } from "../host/settings.ts";
import type { Context } from "./command.ts";

/** Forgets a server's sign-in, wherever it is kept, and what is remembered of it. Throws `configuration`. */
export async function forgetStored(server: ServerSettings, context: Context): Promise<void> {
  const { log, redactor } = context;
  const { CredentialStore } = await import("../oauth/store.ts");
  const { openKeyring } = await import("../host/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  await store.locked(() => store.forget());
  removeFile(cacheFile(server.home, server.name));
}
