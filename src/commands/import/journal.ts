import { join } from "node:path";
import type { Context } from "../../cli/command.ts";
import { readConfig } from "../../config/load.ts";
import { readJudged, removeFile, writeAtomically } from "../../platform/files.ts";
import { BridgeError } from "../../wire/errors.ts";
import { removeServer } from "../auth/forget.ts";
import { clientText, restoreClientFile } from "../client-config/write.ts";
import { backupOf } from "../codex-config/write.ts";

/** What the last import changed: enough to undo it, and nothing secret. */
interface Journal {
  readonly version: 1;
  /** Servers that were added, with the digest of each entry. */
  readonly servers: Readonly<Record<string, string>>;
  /** Clients' files that were rewritten, with their digests before and after. */
  readonly files: readonly FileChange[];
}

/** One rewritten file of a client. */
export interface FileChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

const maxBytes = 1024 * 1024;
const journalFile = (home: string) => join(home, "import.json");

/** The SHA-256 of a text, in hex. */
export function digest(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** Remembers an import, in place of the one before it. Throws `configuration`. */
export async function keepJournal(
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
  const file = readJudged(journalFile(home), maxBytes);
  const nothing = new BridgeError("configuration", "there is no import to undo", {
    hint: (command) => `remove a server by: ${command("remove NAME")}`,
  });
  if (file === undefined) throw nothing;
  try {
    const journal = JSON.parse(file.text) as Journal;
    if (journal.version === 1 && Array.isArray(journal.files)) return journal;
  } catch {
    // Not ours, or cut off: it tells nothing.
  }
  throw nothing;
}

/** Takes the last import back: clients' files as they were, and the servers gone. Throws `configuration`. */
export async function undoImport(context: Context): Promise<number> {
  const { home } = context.paths();
  const { servers, files } = readJournal(home);
  // All of them are looked at before the first is touched.
  for (const { path, before, after } of files) {
    const isOurs =
      digest(clientText(path)) === after && digest(clientText(backupOf(path))) === before;
    if (isOurs) continue;
    throw new BridgeError("configuration", `${path} was changed since the import`, {
      hint: `nothing was undone; what it was before: ${backupOf(path)}`,
    });
  }
  for (const { path } of files) {
    await restoreClientFile(path, context);
    await context.print(`${context.marks.ok} Restored ${path}\n`);
  }
  for (const [name, before] of Object.entries(servers)) {
    const entry = (await readConfig(context.paths()))?.raw.servers?.[name];
    if (entry === undefined) continue;
    if (digest(JSON.stringify(entry)) !== before) {
      context.warn(`server "${name}" was changed since the import and stays`);
      continue;
    }
    await removeServer(name, context);
    await context.print(`${context.marks.ok} Removed server "${name}"\n`);
  }
  removeFile(journalFile(home));
  return 0;
}
