import { chownSync, fstatSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { makePrivateFolder, replaceFile, writeTarget } from "../../platform/files.ts";
import { BridgeError } from "../../wire/errors.ts";
import { shellWord } from "../../wire/text.ts";

/** A file of another program; `text` holds every byte, a byte order mark included. */
export interface UserFile {
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

function failed(verb: string, path: string, error: unknown): BridgeError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return new BridgeError("configuration", `cannot ${verb} ${path} (${code})`, {
    hint: "check who owns the file and its folder",
    cause: error,
  });
}

/** Reads a file of another program without judging its owner and mode; undefined where there is none. Throws `configuration`. */
export function readUserFile(path: string): UserFile | undefined {
  let bytes: Uint8Array;
  let stats: Stats;
  try {
    stats = statSync(path);
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failed("read", path, error);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, mode: stats.mode & 0o777, uid: stats.uid, gid: stats.gid };
  } catch {
    throw new BridgeError("configuration", `${path} is not UTF-8 text`, {
      hint: "save it as UTF-8",
    });
  }
}

/**
 * Replaces a file of another program, through symlinks. Mode and owner stay (a new file gets 0600), and the old content is
 * saved as `backup`. Resolves to false, and does nothing, where the file has changed since `before`. Throws `configuration`, also for a
 * file that is read-only or of another user, and then leaves file and backup as they were.
 */
export function replaceUserFile(
  path: string,
  before: UserFile | undefined,
  text: string,
  backup: string,
): boolean {
  makePrivateFolder(dirname(path));
  if (readUserFile(path)?.text !== before?.text) return false;
  const target = writeTarget(path);
  if (before !== undefined) requireReplaceable(target, before);
  let older: UserFile | undefined;
  let isBackedUp = false;
  try {
    older = readUserFile(backup);
    // The backup holds the same secrets as the file, so it is not readable by more users.
    if (before !== undefined) put(backup, before.text, before.mode & 0o600, before);
    isBackedUp = before !== undefined;
    put(target, text, before?.mode ?? 0o600, before);
  } catch (error) {
    // A change that was not made leaves the backup of the one before it.
    if (isBackedUp && older !== undefined) put(backup, older.text, older.mode, older);
    else if (isBackedUp) rmSync(backup, { force: true });
    throw failed("write", path, error);
  }
  return true;
}

/** Refuses to replace a file that is read-only or of another user: a rename would do it without asking. */
function requireReplaceable(target: string, { mode, uid }: UserFile): void {
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && uid !== own) {
    throw new BridgeError("configuration", `${target} belongs to another user`, {
      hint: "make the change as that user",
    });
  }
  if ((mode & 0o222) === 0) {
    throw new BridgeError("configuration", `${target} is read-only`, {
      hint: `change it where it is made, or run chmod u+w ${shellWord(target)}`,
    });
  }
}

function put(target: string, text: string, mode: number, before: UserFile | undefined): void {
  replaceFile(target, text, mode);
  // Under sudo the new file would belong to root, and the user's Codex could not read it.
  if (before !== undefined && process.getuid?.() === 0) chownSync(target, before.uid, before.gid);
}

/** Whether a folder is there. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether stdout is that file (`>> FILE`). */
export function isStdout(path: string): boolean {
  try {
    const out = fstatSync(1, { bigint: true });
    const file = statSync(path, { bigint: true });
    return out.isFile() && out.dev === file.dev && out.ino === file.ino;
  } catch {
    return false;
  }
}
