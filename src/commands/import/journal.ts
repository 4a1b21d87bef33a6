import { join } from "node:path";
import type { Context } from "../../cli/command.ts";
import { readConfig } from "../../config/load.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { readChecked, removeFile, writeAtomically } from "../../platform/files.ts";
import { BridgeError } from "../../wire/errors.ts";
import { removeServers } from "../auth/forget.ts";
import { clientText, restoreClientFile } from "../client-config/write.ts";
import { backupOf } from "../codex-config/write.ts";

/** The changes of the last import, for --undo; holds digests, no secrets. */
interface Journal {
  readonly version: 1;
  /** Names of the added servers, each with the digest of its entry after the import. */
  readonly servers: Readonly<Record<string, string>>;
  /** The clients' files that the import rewrote. */
  readonly files: readonly FileChange[];
}

/** One rewritten file of a client. */
export interface FileChange {
  readonly path: string;
  /** Digest of the file before the import, which is the digest of its backup. */
  readonly before: string;
  /** Digest of the file after the import. */
  readonly after: string;
}

const maxBytes = 1024 * 1024;
const journalFile = (home: string) => join(home, "import.json");

/** The SHA-256 of a text, in hex. */
export function digest(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** Writes the journal of an import, which replaces the previous import's journal. Throws `configuration`. */
export async function writeJournal(
  names: readonly string[],
  files: readonly FileChange[],
  context: Context,
): Promise<void> {
  const paths = context.paths();
  const entries = (await readConfig(paths))?.raw.servers ?? {};
  const servers = Object.fromEntries(
    names.map((name) => [name, digest(JSON.stringify(entries[name]))]),
  );
  const journal: Journal = { version: 1, servers, files };
  writeAtomically(journalFile(paths.home), `${JSON.stringify(journal, null, 2)}\n`);
}

function readJournal(home: string): Journal {
  const file = readChecked(journalFile(home), maxBytes);
  const noImport = new BridgeError("configuration", "there is no import to undo", {
    hint: (command) => `remove a server by: ${command("remove NAME")}`,
  });
  if (file === undefined) throw noImport;
  try {
    const journal = JSON.parse(file.text) as Journal;
    if (journal.version === 1 && Array.isArray(journal.files)) return journal;
  } catch {
    // Not JSON: the file is truncated or was edited by hand, so the import cannot be undone.
  }
  throw noImport;
}

/** Undoes the last import: restores the clients' files and removes the added servers. Throws `configuration`. */
export async function undoImport(context: Context): Promise<number> {
  const { home } = context.paths();
  const { servers, files } = readJournal(home);
  // Every file is checked before the first is restored: --undo restores all of them or none.
  for (const { path, before, after } of files) {
    const isUnchanged =
      digest(clientText(path)) === after && digest(clientText(backupOf(path))) === before;
    if (isUnchanged) continue;
    throw new BridgeError("configuration", `${path} was changed since the import`, {
      hint: `nothing was undone; the file before the import: ${backupOf(path)}`,
    });
  }
  for (const { path } of files) {
    await restoreClientFile(path, context);
    await context.print(`${context.marks.ok} Restored ${path}\n`);
  }
  const config = await readConfig(context.paths());
  const removed: ServerSettings[] = [];
  for (const [name, importedDigest] of Object.entries(servers)) {
    const entry = config?.raw.servers?.[name];
    const settings = config?.servers.get(name);
    if (entry === undefined || settings === undefined) continue;
    if (digest(JSON.stringify(entry)) === importedDigest) removed.push(settings);
    else context.warn(`server "${name}" was changed since the import and is not removed`);
  }
  if (removed.length > 0) await removeServers(removed, context);
  for (const { name } of removed)
    await context.print(`${context.marks.ok} Removed server "${name}"\n`);
  removeFile(journalFile(home));
  return 0;
}
