import type { Context } from "../../cli/command.ts";
import { isClientFile } from "../../config/clients/client-file.ts";
import { withLock } from "../../platform/lock.ts";
import { BridgeError } from "../../wire/errors.ts";
import { isFolder, readUserFile, replaceUserFile } from "../codex-config/user-file.ts";
import { backupOf } from "../codex-config/write.ts";

const attempts = 5;

/** The text of a client's file; empty if there is no file. Throws `configuration`. */
export function clientText(path: string): string {
  return isClientFile(path) ? (readUserFile(path)?.text ?? "") : "";
}

/**
 * Changes a client's file under a lock; false if `edit` changes nothing. The old text is saved as the file's backup, unless
 * `hasBackup`. Throws `configuration`; the file and its backup are then unchanged.
 */
export async function changeClientFile(
  path: string,
  edit: (text: string) => Promise<string>,
  context: Context,
  { hasBackup = false } = {},
): Promise<boolean> {
  const backup = hasBackup ? undefined : backupOf(path);
  const change = async () => {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const before = isClientFile(path) ? readUserFile(path) : undefined;
      const after = await edit(before?.text ?? "");
      if (after === (before?.text ?? "")) return false;
      // False if the client has written the file since it was read: its change is kept, and the edit is repeated.
      if (replaceUserFile(path, before, after, backup)) return true;
    }
    throw new BridgeError("configuration", `${path} keeps changing`, {
      hint: "quit the client that writes the file, then try again",
    });
  };
  const { home } = context.paths();
  // The lock is a file in the bridge's folder; without that folder no other process of the bridge holds it.
  return isFolder(home) ? withLock(home, "client-config", change) : change();
}
