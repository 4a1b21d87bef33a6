import { BridgeError } from "../wire/errors.ts";
import { shellWord } from "../wire/text.ts";
import { fs } from "./fs.ts";
import {
  codeOf,
  failed,
  isMissing,
  judgeFile,
  judgeParents,
  judgePrivate,
  type Purpose,
  refuse,
} from "./judge.ts";
import { basename, dirname, join, resolve } from "./path.ts";

/** A temporary file this old has no writer any more: a write takes milliseconds. */
const orphanMs = 60_000;

/** A file that passed the judgement of owner, mode and folders. */
export interface JudgedFile {
  readonly text: string;
  /** Throws `configuration` where others than its owner may read the file: it holds a secret. */
  requirePrivate(): void;
}

/** Reads at most `maxBytes`; undefined where there is more. */
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
 * The text of the file that `path` leads to, after the judgement of owner, mode and folders; undefined where
 * there is none. Throws `configuration`.
 */
export function readJudged(
  path: string,
  maxBytes: number,
  purpose: Purpose = "home",
): JudgedFile | undefined {
  let target: string;
  let fd: number;
  try {
    target = fs().realpathSync(path);
    judgeParents(join(fs().realpathSync(dirname(path)), basename(path)), purpose);
    if (target !== path) judgeParents(target, purpose);
    // Not blocking on a FIFO; not following a link that replaces the resolved file meanwhile.
    fd = fs().openSync(
      target,
      fs().constants.O_RDONLY | fs().constants.O_NOFOLLOW | fs().constants.O_NONBLOCK,
    );
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    if (isMissing(error)) return undefined;
    throw failed("read", path, error);
  }
  try {
    const stats = fs().fstatSync(fd);
    judgeFile(target, stats, purpose);
    const bytes = readUpTo(fd, maxBytes);
    if (bytes === undefined)
      refuse(`${target} is larger than ${maxBytes} bytes`, "make it smaller");
    const text = decode(bytes, target);
    return { text, requirePrivate: () => judgePrivate(target, stats) };
  } catch (error) {
    throw error instanceof BridgeError ? error : failed("read", target, error);
  } finally {
    fs().closeSync(fd);
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return refuse(`${path} is not UTF-8 text`, "save it as UTF-8");
  }
}

/** A secret from a file: white space at its ends stripped. Throws `configuration`, also where it is missing. */
export function readSecretFile(path: string, what: string): string {
  const file = readJudged(path, 64 * 1024, "secret");
  if (file === undefined) {
    throw new BridgeError("configuration", `${what}: there is no file ${path}`, {
      hint: "put the secret there, or name the file that holds it",
    });
  }
  file.requirePrivate();
  return file.text.trim();
}

/** Makes a folder (0700, whatever the umask) and its missing parents; an existing one keeps its mode. */
export function makePrivateFolder(path: string): void {
  try {
    fs().mkdirSync(path, { mode: 0o700 });
    fs().chmodSync(path, 0o700);
  } catch (error) {
    if (codeOf(error) === "ENOENT") {
      makePrivateFolder(dirname(path));
      makePrivateFolder(path);
    } else if (codeOf(error) !== "EEXIST" || !fs().statSync(path).isDirectory()) {
      throw failed("make the folder", path, error);
    }
  }
}

/** Where a write to `path` ends: through symlinks, also through one whose file does not exist yet. Throws what the system says. */
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
      // Another process cleans up, too.
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
    // Some file systems cannot sync a folder; the rename itself stands.
  }
}

/**
 * Replaces the file that `path` leads to, whole or not at all: 0600 temporary file, fsync, rename, fsync.
 * Makes the folder (0700) where it is missing. Whether it was done: `may` decides at the last moment. Throws `configuration`.
 */
export function writeAtomically(path: string, text: string, may = always): boolean {
  makePrivateFolder(dirname(path));
  try {
    const target = writeTarget(path);
    judgeParents(target, "home");
    judgeExisting(target);
    return replaceFile(target, text, 0o600, may);
  } catch (error) {
    throw error instanceof BridgeError ? error : failed("write", path, error);
  }
}

const always = () => true;

/** Replaces the file at `target`, which is no symlink, by one of that mode, whole or not at all. Throws what the system says. */
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

function judgeExisting(target: string): void {
  try {
    judgeFile(target, fs().lstatSync(target), "home");
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
    // It was never made.
  }
}

/** Removes a file; true where it was there. Throws `configuration`. */
export function removeFile(path: string): boolean {
  try {
    fs().unlinkSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw failed("remove", path, error);
  }
}
