import { chownSync, fstatSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileSystemReason } from "../../platform/file-permissions.ts";
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

function fileError(verb: string, path: string, error: unknown): BridgeError {
  const { code = "" } = error as NodeJS.ErrnoException;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new BridgeError("configuration", `cannot ${verb} ${path} (${fileSystemReason(error)})`, {
    hint: isFull ? "make room there, then try again" : "check who owns the file and its folder",
    cause: error,
  });
}

/** Reads a file of another program, whatever its owner and mode; undefined if there is none. Throws `configuration`. */
export function readUserFile(path: string): UserFile | undefined {
  let bytes: Uint8Array;
  let stats: Stats;
  try {
    stats = statSync(path);
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError("read", path, error);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, mode: stats.mode & 0o777, uid: stats.uid, gid: stats.gid };
  } catch {
    // Windows PowerShell writes UTF-16 with a byte order mark.
    const isUtf16 =
      (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const kind = isUtf16 ? "is UTF-16" : "is not UTF-8";
    throw new BridgeError("configuration", `${path} ${kind} text`, {
      hint: "save it as UTF-8",
    });
  }
}

/**
 * Replaces a file of another program, through symlinks. Mode and owner stay (a new file gets 0600), and the old content is
 * saved as `backup`, if that is given. Returns false, and does nothing, if the file has changed since `before` was read. Throws `configuration`,
 * also if the file is read-only or belongs to another user; then file and backup are unchanged.
 */
export function replaceUserFile(
  path: string,
  before: UserFile | undefined,
  text: string,
  backup: string | undefined,
): boolean {
  makePrivateFolder(dirname(path));
  if (readUserFile(path)?.text !== before?.text) return false;
  const target = writeTarget(path);
  if (before !== undefined) requireReplaceable(target, before);
  let oldBackup: UserFile | undefined;
  let isBackedUp = false;
  try {
    if (backup !== undefined && before !== undefined) {
      oldBackup = readUserFile(backup);
      // The backup holds the same secrets as the file, so it is not readable by more users.
      putFile(backup, before.text, before.mode & 0o600, before);
      isBackedUp = true;
    }
    putFile(target, text, before?.mode ?? 0o600, before);
  } catch (error) {
    // The file was not changed, so the backup of the previous change is put back.
    if (isBackedUp && oldBackup !== undefined)
      putFile(backup!, oldBackup.text, oldBackup.mode, oldBackup);
    else if (isBackedUp) rmSync(backup!, { force: true });
    throw fileError("write", path, error);
  }
  return true;
}

/** Throws `configuration` if replaceUserFile() would refuse an existing file. */
export function requireWritable(path: string): void {
  const file = readUserFile(path);
  if (file !== undefined) requireReplaceable(writeTarget(path), file);
}

/** Throws `configuration` for a file that is read-only or belongs to another user: the rename would replace it nevertheless. */
function requireReplaceable(target: string, { mode, uid }: UserFile): void {
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && uid !== own) {
    throw new BridgeError("configuration", `${target} belongs to another user`, {
      hint: "make the change as that user",
    });
  }
  if ((mode & 0o222) === 0) {
    throw new BridgeError("configuration", `${target} is read-only`, {
      hint: `if a program generates it, change its source; else run chmod u+w ${shellWord(target)}`,
    });
  }
}

function putFile(target: string, text: string, mode: number, before: UserFile | undefined): void {
  replaceFile(target, text, mode);
  // Under sudo the new file would belong to root, and the user's Codex could not read it.
  if (before !== undefined && process.getuid?.() === 0) chownSync(target, before.uid, before.gid);
}

/** Whether the path is a folder. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether stdout is redirected to the file (`>> FILE`). */
export function isStdout(path: string): boolean {
  try {
    const out = fstatSync(1, { bigint: true });
    const file = statSync(path, { bigint: true });
    return out.isFile() && out.dev === file.dev && out.ino === file.ino;
  } catch {
    return false;
  }
}
