import { join } from "node:path";
import type { Context } from "../../cli/command.ts";
import { readConfig } from "../../config/load.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { readChecked, removeFile, writeAtomically } from "../../platform/files.ts";
import { BridgeError } from "../../wire/errors.ts";
import { removeServers } from "../auth/forget.ts";
import { changeClientFile, clientText } from "../client-config/write.ts";
import { requireWritable } from "../codex-config/user-file.ts";
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
interface FileChange {
  readonly path: string;
  /** Digest of the file before the import, which is the digest of its backup. */
  readonly before: string;
  /** Digest of the file after the import. */
  readonly after: string;
}

const maxBytes = 1024 * 1024;
const journalFile = (home: string) => join(home, "import.json");
const empty: Journal = { version: 1, servers: {}, files: [] };
const textOf = (journal: Journal) => `${JSON.stringify(journal, null, 2)}\n`;

/** The SHA-256 of a text, in hex. */
function digest(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** The digest of a server's entry in config.json. */
const digestOf = (entry: ServerEntry) => digest(JSON.stringify(entry));

/**
 * Writes the journal of an import, which replaces the previous import's journal. Each change is noted before it is made, so
 * that --undo knows every change, whatever fails and whenever.
 */
export class JournalWriter {
  readonly #path: string;
  /** Text of the previous import's journal, which stays valid if this import changes nothing. */
  readonly #previous: string | undefined;
  #journal: Journal = empty;

  /** Throws `configuration`. */
  constructor(home: string) {
    this.#path = journalFile(home);
    this.#previous = readChecked(this.#path, maxBytes)?.text;
  }

  /** Whether nothing is noted. */
  get isEmpty(): boolean {
    return this.#journal === empty;
  }

  /** Notes servers that are about to be added. Throws `configuration`. */
  noteServers(entries: readonly (readonly [string, ServerEntry])[]): void {
    const digests = entries.map(([name, entry]) => [name, digestOf(entry)]);
    this.#write({ ...this.#journal, servers: Object.fromEntries(digests) });
  }

  /** Notes a client's file that is about to be rewritten. Throws `configuration`. */
  noteFile(path: string, before: string, after: string): void {
    const others = this.#journal.files.filter((file) => file.path !== path);
    const file = { path, before: digest(before), after: digest(after) };
    this.#write({ ...this.#journal, files: [...others, file] });
  }

  /** Makes a change, which notes itself; the note of a change that fails is struck out. */
  async during<T>(change: () => Promise<T>): Promise<T> {
    const before = this.#journal;
    try {
      return await change();
    } catch (error) {
      if (this.#journal !== before) this.#strikeOut(before);
      throw error;
    }
  }

  #write(journal: Journal): void {
    writeAtomically(this.#path, textOf(journal));
    this.#journal = journal;
  }

  #strikeOut(before: Journal): void {
    this.#journal = before;
    const text = before === empty ? this.#previous : textOf(before);
    try {
      if (text === undefined) removeFile(this.#path);
      else writeAtomically(this.#path, text);
    } catch {
      // The note stays, and --undo finds that there is nothing to undo.
    }
  }
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

/** Whether --undo still has to restore a file. Throws `configuration` if the file, or its backup, was changed since the import. */
function isToRestore({ path, before, after }: FileChange): boolean {
  const now = digest(clientText(path));
  // An earlier --undo that failed later on has restored it, or the import has failed before it rewrote the file.
  if (now === before) return false;
  const backup = backupOf(path);
  if (digest(clientText(backup)) !== before) {
    throw new BridgeError(
      "configuration",
      `${path} cannot be restored: ${backup} is not the file before the import any more`,
      { hint: (command) => `edit the file by hand; remove a server by: ${command("remove NAME")}` },
    );
  }
  if (now === after) return true;
  throw new BridgeError("configuration", `${path} was changed since the import`, {
    hint: (command) =>
      `put back the file before the import, ${backup}, then repeat ${command("import --undo")}`,
  });
}

/**
 * Undoes the last import: restores the clients' files and removes the added servers. Journal and backups stay until all is
 * done, so that an --undo that fails can be repeated. Throws `configuration`.
 */
export async function undoImport(context: Context): Promise<number> {
  const paths = context.paths();
  const { servers, files } = readJournal(paths.home);
  // config.json and all files are checked before the first change.
  const config = await readConfig(paths);
  const toRestore = files.filter(isToRestore);
  for (const { path } of toRestore) requireWritable(path);
  for (const file of toRestore) await restore(file, context);
  const added = Object.keys(servers).flatMap((name) => config?.servers.get(name) ?? []);
  const changed = new Set<string>();
  const isUnchanged = (name: string, entry: ServerEntry) => {
    if (digestOf(entry) === servers[name]) return true;
    changed.add(name);
    return false;
  };
  const removed = new Set(
    (await removeServers(added, context, isUnchanged)).map(({ name }) => name),
  );
  for (const name of Object.keys(servers)) {
    if (removed.has(name)) await context.print(`${context.marks.ok} Removed server "${name}"\n`);
    else if (changed.has(name))
      context.warn(`server "${name}" was changed since the import and is not removed`);
    else context.warn(`server "${name}" is not in config.json any more, so it is not removed`);
  }
  for (const { path, before } of files) {
    if (digest(clientText(backupOf(path))) === before) removeFile(backupOf(path));
  }
  removeFile(journalFile(paths.home));
  return 0;
}

async function restore(file: FileChange, context: Context): Promise<void> {
  const { path } = file;
  const text = clientText(backupOf(path));
  const edit = async (now: string) => (now !== text && isToRestore(file) ? text : now);
  // The restored text has its backup already; another one would overwrite it.
  await changeClientFile(path, edit, context, { hasBackup: true });
  await context.print(`${context.marks.ok} Restored ${path}\n`);
}
