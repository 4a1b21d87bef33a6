import { chownSync, fstatSync, readFileSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { makePrivateFolder, replaceFile, writeTarget } from "../../platform/files.ts";
import { BridgeError } from "../../wire/errors.ts";

/** A file of another program, as it was read: every byte is in `text`, a byte order mark too. */
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

/** Reads a file that is not ours to judge; undefined where there is none. Throws `configuration`. */
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
 * Replaces a file of another program, through symlinks, keeping its mode and owner (0600 for a new one) and what it was as
 * `backup`. False, and nothing done, where it is not `before` any more. Throws `configuration`.
 */
export function replaceUserFile(
  path: string,
  before: UserFile | undefined,
  text: string,
  backup: string,
): boolean {
  makePrivateFolder(dirname(path));
  if (readUserFile(path)?.text !== before?.text) return false;
  try {
    // The backup may hold what the file holds: it is no more open than that.
    if (before !== undefined) put(backup, before.text, before.mode & 0o600, before);
    put(writeTarget(path), text, before?.mode ?? 0o600, before);
  } catch (error) {
    throw failed("write", path, error);
  }
  return true;
}

function put(target: string, text: string, mode: number, before: UserFile | undefined): void {
  replaceFile(target, text, mode);
  // With sudo the file would become root's, and its owner's Codex could not read it any more.
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
