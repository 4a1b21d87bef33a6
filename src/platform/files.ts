import { BridgeError } from "../wire/errors.ts";
import { shellWord } from "../wire/text.ts";
import {
  checkFile,
  checkParents,
  checkPrivate,
  codeOf,
  fileSystemError,
  isMissing,
  type Purpose,
  refuse,
} from "./file-permissions.ts";
import { fs } from "./fs.ts";
import { basename, dirname, join, resolve } from "./path.ts";

/** Age from which a temporary file counts as left by a killed process: a write takes milliseconds. */
const orphanMs = 60_000;

/** The text of a file whose owner, mode and folders were checked. */
export interface CheckedFile {
  readonly text: string;
  /** Throws `configuration` if users other than the owner may read the file. */
  requirePrivate(): void;
}

/** Reads a file to its end; undefined if the file has more than `maxBytes`. */
function readUpTo(fd: number, maxBytes: number): Uint8Array | undefined {
  let buffer = new Uint8Array(Math.min(maxBytes + 1, 16 * 1024));
  let length = 0;
  for (;;) {
    const count = fs().readSync(fd, buffer, length, buffer.length - length, null);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
    if (length > maxBytes) return undefined;
    if (length < buffer.length) continue;
    const wider = new Uint8Array(Math.min(maxBytes + 1, buffer.length * 4));
    wider.set(buffer);
    buffer = wider;
  }
}

/**
 * Reads a file after checking owner, mode and folders of the file, and of its target if it is a symlink. Undefined if
 * the file does not exist. Throws `configuration`.
 */
export function readChecked(
  path: string,
  maxBytes: number,
  purpose: Purpose = "home",
): CheckedFile | undefined {
  let target: string;
  let fd: number;
  try {
    target = fs().realpathSync(path);
    checkParents(join(fs().realpathSync(dirname(path)), basename(path)), purpose);
    if (target !== path) checkParents(target, purpose);
    // O_NONBLOCK: a FIFO must not block us. O_NOFOLLOW: the resolved file may have been replaced by a link meanwhile.
    fd = fs().openSync(
      target,
      fs().constants.O_RDONLY | fs().constants.O_NOFOLLOW | fs().constants.O_NONBLOCK,
    );
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    if (isMissing(error)) return undefined;
    throw fileSystemError("read", path, error);
  }
  try {
    const stats = fs().fstatSync(fd);
    checkFile(target, stats, purpose);
    const bytes = readUpTo(fd, maxBytes);
    if (bytes === undefined)
      refuse(`${target} is larger than ${maxBytes} bytes`, "make it smaller");
    const text = decode(bytes, target);
    return { text, requirePrivate: () => checkPrivate(target, stats) };
  } catch (error) {
    throw error instanceof BridgeError ? error : fileSystemError("read", target, error);
  } finally {
    fs().closeSync(fd);
  }
}

/** The entry of a path itself, even if it is a link that leads nowhere; undefined if there is none. Throws `configuration`. */
export function lstatOf(path: string): object | undefined {
  try {
    return fs().lstatSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw fileSystemError("read", path, error);
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return refuse(`${path} is not UTF-8 text`, "save it as UTF-8");
  }
}

/** Reads a secret from a file and trims white space. Throws `configuration`, also if the file is missing. */
export function readSecretFile(path: string, what: string): string {
  const file = readChecked(path, 64 * 1024, "secret");
  if (file === undefined) {
    throw new BridgeError("configuration", `${what}: there is no file ${path}`, {
      hint: "write the secret to this file, or configure another file",
    });
  }
  file.requirePrivate();
  return file.text.trim();
}

/** Creates a folder and its missing parents with mode 0700 under any umask. An existing folder keeps its mode. */
export function makePrivateFolder(path: string): void {
  try {
    fs().mkdirSync(path, { mode: 0o700 });
    fs().chmodSync(path, 0o700);
  } catch (error) {
    if (codeOf(error) === "ENOENT") {
      makePrivateFolder(dirname(path));
      makePrivateFolder(path);
    } else if (codeOf(error) !== "EEXIST" || !fs().statSync(path).isDirectory()) {
      throw fileSystemError("make the folder", path, error);
    }
  }
}

/** The path that a write to `path` must replace: `path` with symlinks resolved; the file need not exist yet. Throws the system's error. */
export function writeTarget(path: string, hops = 0): string {
  const place = join(fs().realpathSync(dirname(path)), basename(path));
  let link: string;
  try {
    if (!fs().lstatSync(place).isSymbolicLink()) return place;
    link = fs().readlinkSync(place);
  } catch (error) {
    if (isMissing(error)) return place;
    throw error;
  }
  if (hops > 32) refuse(`${path} is a circle of symlinks`, `run rm ${shellWord(path)}`);
  return writeTarget(resolve(dirname(place), link), hops + 1);
}

function removeOrphans(folder: string, prefix: string): void {
  for (const name of fs().readdirSync(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
    const orphan = join(folder, name);
    try {
      if (Date.now() - fs().lstatSync(orphan).mtimeMs > orphanMs) fs().unlinkSync(orphan);
    } catch {
      // Another process has removed it.
    }
  }
}

function syncFolder(folder: string): void {
  try {
    const fd = fs().openSync(folder, fs().constants.O_RDONLY);
    try {
      fs().fsyncSync(fd);
    } finally {
      fs().closeSync(fd);
    }
  } catch {
    // Some file systems cannot sync a folder; the rename has happened anyway.
  }
}

/**
 * Replaces the file at `path`, or the target of that symlink, atomically: temporary file (0600), fsync, rename, fsync of
 * the folder, which is created (0700) if missing. `may` is called just before the rename and can prevent it; returns
 * whether the file was replaced. Throws `configuration`.
 */
export function writeAtomically(path: string, text: string, may = always): boolean {
  makePrivateFolder(dirname(path));
  try {
    const target = writeTarget(path);
    checkParents(target, "home");
    checkExisting(target);
    return replaceFile(target, text, 0o600, may);
  } catch (error) {
    throw error instanceof BridgeError ? error : fileSystemError("write", path, error);
  }
}

const always = () => true;

/** Replaces the file at `target`, which is no symlink, atomically. Returns whether `may` allowed the rename. Throws the system's error. */
export function replaceFile(target: string, text: string, mode: number, may = always): boolean {
  const folder = dirname(target);
  const prefix = `.${basename(target)}.`;
  removeOrphans(folder, prefix);
  const temporary = join(folder, `${prefix}${crypto.randomUUID()}.tmp`);
  try {
    writeWhole(temporary, text, mode);
    const mayReplace = may();
    if (mayReplace) fs().renameSync(temporary, target);
    else removeQuietly(temporary);
    return mayReplace;
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  } finally {
    syncFolder(folder);
  }
}

function checkExisting(target: string): void {
  try {
    checkFile(target, fs().lstatSync(target), "home");
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function writeWhole(path: string, text: string, mode: number): void {
  const fd = fs().openSync(path, "wx", 0o600);
  try {
    fs().fchmodSync(fd, mode);
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; ) at += fs().writeSync(fd, bytes, at);
    fs().fsyncSync(fd);
  } finally {
    fs().closeSync(fd);
  }
}

function removeQuietly(path: string): void {
  try {
    fs().unlinkSync(path);
  } catch {
    // The file was never created.
  }
}

/** Removes a file. Returns whether it existed. Throws `configuration`. */
export function removeFile(path: string): boolean {
  try {
    fs().unlinkSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw fileSystemError("remove", path, error);
  }
}
