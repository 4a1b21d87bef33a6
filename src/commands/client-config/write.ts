import type { Context } from "../../cli/command.ts";
import { isClientFile } from "../../config/clients/client-file.ts";
import { removeFile } from "../../platform/files.ts";
import { withLock } from "../../platform/lock.ts";
import { BridgeError } from "../../wire/errors.ts";
import { isFolder, readUserFile, replaceUserFile } from "../codex-config/user-file.ts";
import { backupOf } from "../codex-config/write.ts";

const attempts = 5;

/** A client's file as it is; empty where there is none. Throws `configuration`. */
export function clientText(path: string): string {
  return isClientFile(path) ? (readUserFile(path)?.text ?? "") : "";
}

/** Puts the backup of a client's file in its place again. Throws `configuration`. */
export async function restoreClientFile(path: string, context: Context): Promise<void> {
  const backup = backupOf(path);
  const text = clientText(backup);
  await changeClientFile(path, async () => text, context);
  removeFile(backup);
}

/**
 * Changes a client's file under a lock; false where it needs no change. Throws `configuration`, and then neither the
 * file nor its backup is touched.
 */
export async function changeClientFile(
  path: string,
  edit: (text: string) => Promise<string>,
  context: Context,
): Promise<boolean> {
  const change = async () => {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const before = isClientFile(path) ? readUserFile(path) : undefined;
      const after = await edit(before?.text ?? "");
      if (after === (before?.text ?? "")) return false;
      // The client writes the file, too: a change that it made meanwhile is kept.
      if (replaceUserFile(path, before, after, backupOf(path))) return true;
    }
    throw new BridgeError("configuration", `${path} keeps changing`, {
      hint: "end the client that writes it, then try again",
    });
  };
  const { home } = context.paths();
  // Without a home of the bridge there is nobody to race with.
  return isFolder(home) ? withLock(home, "client-config", change) : change();
}
