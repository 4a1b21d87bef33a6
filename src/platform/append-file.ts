import { fileSystemReason } from "./file-permissions.ts";
import { makePrivateFolder } from "./files.ts";
import { fs } from "./fs.ts";
import { dirname } from "./path.ts";

/**
 * Opens a file for appending, and for reading if `isRead`; creates it with mode 0600, and its folder with 0700. In a
 * folder that others may write, another user may have created something at this path: symlinks are not followed, a pipe
 * without a reader does not block, and a file of another user is refused. A device such as /dev/null keeps its mode; an
 * existing file of ours becomes 0600. Throws Error with the reason.
 */
export function openToAppend(
  path: string,
  { isRead = false }: { readonly isRead?: boolean } = {},
): { readonly fd: number; readonly sizeBytes: number } {
  const { O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs().constants;
  const access = isRead ? O_RDWR : O_WRONLY;
  const flags = access | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const fd = openOrMakeFolder(path, flags);
  try {
    const stats = fs().fstatSync(fd);
    const own = process.getuid?.();
    if (!stats.isFile() && !stats.isCharacterDevice()) throw new Error("it is no regular file");
    if (own !== undefined && stats.uid !== own && stats.uid !== 0)
      throw new Error("it belongs to another user");
    // Another user may have created a hard link to another file of this user.
    if (stats.isFile() && stats.nlink > 1) throw new Error("it is linked under another name");
    if (stats.isFile() && stats.uid === own && (stats.mode & 0o077) !== 0) makePrivate(fd);
    return { fd, sizeBytes: stats.size };
  } catch (error) {
    fs().closeSync(fd);
    throw error;
  }
}

function openOrMakeFolder(path: string, flags: number): number {
  try {
    return fs().openSync(path, flags, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    makePrivateFolder(dirname(path));
    return fs().openSync(path, flags, 0o600);
  }
}

function makePrivate(fd: number): void {
  try {
    fs().fchmodSync(fd, 0o600);
  } catch {
    // The file system does not support modes: append anyway.
  }
}

const reasons: Readonly<Record<string, string>> = {
  // open(2): O_NOFOLLOW gives ELOOP for a symlink, O_NONBLOCK gives ENXIO for a pipe without a reader.
  ELOOP: "it is a symlink",
  ENXIO: "it is no regular file",
};

/** The reason why a file cannot be appended to, for a message. */
export function appendProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : (reasons[code] ?? fileSystemReason(error));
}

/** Looks at a last line without its end: while another process writes, its line grows page by page. */
const looks = 5;
const betweenLooksMs = 2;

/** Ends the last line of a file if a full disk or a kill has cut it, so that no line is joined to it; `fd` is open for reading, too. */
export function endLine(fd: number): void {
  const last = new Uint8Array(1);
  for (let look = 1; ; look++) {
    const { size } = fs().fstatSync(fd);
    if (size === 0) return;
    fs().readSync(fd, last, 0, 1, size - 1);
    if (last[0] === 0x0a) return;
    if (look === looks) break;
    Bun.sleepSync(betweenLooksMs);
  }
  fs().writeSync(fd, "\n");
}
