// Checks who may write or read a file: owner and mode of the file and of every folder above it.

import type { Stats } from "node:fs";
import { BridgeError } from "../wire/errors.ts";
import { shellWord } from "../wire/text.ts";
import { fs } from "./fs.ts";
import { isPrivateToPod, mountOf } from "./mounts.ts";
import { dirname } from "./path.ts";
import { trustsHome } from "./paths.ts";

/** Use of a file: `home` for a file of the bridge, `secret` for a file that an orchestrator may mount, `machine` for a file of root. */
export type Purpose = "home" | "secret" | "machine";

export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? "";
export const isMissing = (error: unknown) => ["ENOENT", "ENOTDIR"].includes(codeOf(error));

export function refuse(message: string, hint: string): never {
  throw new BridgeError("configuration", message, { hint });
}

/** The user's id; undefined on Windows, where modes have no meaning. */
const ownId = () => process.getuid?.();

const isOwned = ({ uid }: Stats, purpose: Purpose) =>
  uid === 0 || (uid === ownId() && purpose !== "machine");
const isOpenToWriters = ({ mode }: Stats) => (mode & 0o022) !== 0;
const isSticky = ({ mode }: Stats) => (mode & 0o1000) !== 0;

/** The folder where Compose, Docker and Kubernetes mount secrets. */
const secretsFolder = /^(\/var)?\/run\/secrets\//;

/** Whether a resolved path is mounted so that no user of this machine can write it. */
const isProvided = (path: string) =>
  secretsFolder.test(`${path}/`) || mountOf(path)?.isReadOnly === true;

/** Whether a folder is accepted although another user owns or may write it. */
function isAcceptedFolder(folder: string, purpose: Purpose): boolean {
  if (purpose === "machine") return false;
  if (isPrivateToPod(folder)) return true;
  return purpose === "home" ? trustsHome(process.env) : isProvided(folder);
}

/** Hint for a wrong owner or mode: the command that corrects it if this user may run it, else another fix. */
function permissionHint(command: string, path: string, stats: Stats, purpose: Purpose): string {
  const line = `${command} ${shellWord(path)}`;
  const mayChange = ownId() === 0 || (stats.uid === ownId() && command.startsWith("chmod"));
  if (mayChange && mountOf(path)?.isReadOnly !== true) return `run ${line}`;
  if (purpose === "secret")
    return `mount it read-only, not writable by others, or let user ${ownId()} own it`;
  if (purpose === "machine" || Bun.which("sudo", { PATH: "/usr/bin:/bin" }) !== null)
    return `run sudo ${line}`;
  return "set CODEX_MCP_BRIDGE_HOME to a folder of your own; or CODEX_MCP_BRIDGE_TRUST_HOME=1 if no other user can access this one";
}

function checkOwner(path: string, stats: Stats, purpose: Purpose): void {
  if (isOwned(stats, purpose)) return;
  const owner = purpose === "machine" ? "root" : ownId();
  const hint = permissionHint(`chown ${owner}`, path, stats, purpose);
  refuse(`${path} belongs to another user`, hint);
}

/** Checks owner and mode of every folder above a resolved path: whoever may write such a folder can replace the file. */
export function checkParents(path: string, purpose: Purpose): void {
  if (ownId() === undefined) return;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stats = fs().statSync(folder);
    const isSafe = isOwned(stats, purpose) && (!isOpenToWriters(stats) || isSticky(stats));
    if (!isSafe && !isAcceptedFolder(folder, purpose)) {
      checkOwner(folder, stats, purpose);
      const hint = permissionHint("chmod go-w", folder, stats, purpose);
      refuse(`${folder} may be written by others`, hint);
    }
    if (folder === dirname(folder)) return;
  }
}

/** Checks type, owner and mode of the file at a resolved path. */
export function checkFile(path: string, stats: Stats, purpose: Purpose): void {
  if (!stats.isFile()) refuse(`${path} is not a regular file`, "put a regular file there");
  if (ownId() === undefined) return;
  if (isOpenToWriters(stats)) {
    const hint = permissionHint("chmod go-w", path, stats, purpose);
    refuse(`${path} may be written by others`, hint);
  }
  if (purpose !== "secret" || !isProvided(path)) checkOwner(path, stats, purpose);
}

/** Throws `configuration` if users other than the owner may read a file that holds a secret. */
export function checkPrivate(path: string, stats: Stats): void {
  const own = ownId();
  if (own === undefined || stats.uid !== own || (stats.mode & 0o044) === 0) return;
  // On a read-only mount the user cannot change the mode.
  if (mountOf(path)?.isReadOnly === true) return;
  refuse(`${path} holds a secret and may be read by others`, `run chmod 600 ${shellWord(path)}`);
}

/** Error codes of file systems that have no room, or take no change, in plain words. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of this user is used up",
  EROFS: "the file system is read-only",
};

/** The reason in an error of the file system, for a message. */
export function fileSystemReason(error: unknown): string {
  const code = codeOf(error);
  return reasons[code] ?? code;
}

/** Turns an error of the file system into `configuration`, with the reason and a hint. */
export function fileSystemError(
  verb: "read" | "write" | "remove" | "make the folder",
  path: string,
  error: unknown,
): BridgeError {
  const code = codeOf(error);
  const isRefused = ["EACCES", "EPERM", "EROFS"].includes(code);
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const room = isFull ? "make room there, then try again; the file is as it was" : undefined;
  const hint = isRefused ? accessHint(verb, path) : room;
  return new BridgeError("configuration", `cannot ${verb} ${path} (${fileSystemReason(error)})`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

function accessHint(verb: string, path: string): string {
  const stats = statOf(path);
  const isOwn = stats !== undefined && stats.uid === ownId() && !mountOf(path)?.isReadOnly;
  if (isOwn) return `run chmod u+rw ${shellWord(path)}`;
  if (verb === "read") return `let user ${ownId()} read it`;
  return `set CODEX_MCP_BRIDGE_HOME to a folder that user ${ownId()} may write`;
}

function statOf(path: string): Stats | undefined {
  try {
    return fs().statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
