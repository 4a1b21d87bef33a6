// Fast variant of file-permissions.ts for the start of `run`: needs no node:fs, which would take 1 ms, and leaves every
// doubtful case to file-permissions.ts.
import { checkPrivate } from "./file-permissions.ts";
import { dirname } from "./path.ts";

/** stat that always rejects on failure: for a path that is too long Bun throws synchronously. */
const statOf = async (path: string) => Bun.file(path).stat();
type FileStats = Awaited<ReturnType<typeof statOf>>;

const isSame = (a: FileStats, b: FileStats) => a.dev === b.dev && a.ino === b.ino;

/** Whether every file or folder belongs to the user or root, and is not writable by other users. */
function areSafe(all: readonly FileStats[], own: number): boolean {
  for (const { uid, mode } of all)
    if ((uid !== own && uid !== 0) || (mode & 0o022) !== 0) return false;
  return true;
}

/** The first `maxBytes` of a file as text; undefined if the file cannot be read or is not UTF-8. */
async function read(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const bytes = await Bun.file(path).slice(0, maxBytes).bytes();
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A folder and its parents up to the root, from the path alone. */
function withParents(folder: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== dirname(at); folders.push(at)) at = dirname(at);
  return folders;
}

/** The texts of two files and the result of the permission check. */
export interface FastFileCheck {
  /** The texts of the two files, unchecked; undefined for a file that cannot be read. */
  readonly texts: Promise<(string | undefined)[]>;
  /**
   * Resolves to undefined if file-permissions.ts might refuse a file: run the full check, which throws the right error.
   * Else resolves to a function that throws `configuration` if users other than the owner may read the first file.
   */
  readonly sound: Promise<(() => void) | undefined>;
}

/**
 * Reads `file`, and `other` in a subfolder beside it, and checks owners, modes and folders of both meanwhile. Use the
 * texts only if `sound` resolves to a function: then no folder on the path is a symlink, and no other user can create
 * one there. A file itself may be a symlink, because its owner made it.
 */
export function checkFilesFast(file: string, other: string, maxBytes: number): FastFileCheck {
  const own = process.getuid!();
  const files = [file, other];
  const texts = Promise.all(files.map((path) => read(path, maxBytes)));
  const folders = withParents(dirname(other));
  const parents = folders.slice(0, -1).map((folder) => `${folder}/..`);
  const sound = Promise.all([...files, ...folders, ...parents].map(statOf)).then(
    ([one, two, ...rest]) => {
      const named = rest.slice(0, folders.length);
      const isStraight = rest
        .slice(folders.length)
        .every((parent, level) => isSame(parent, named[level + 1]!));
      const areFiles = one!.isFile() && two!.isFile();
      const isLarge = one!.size > maxBytes || two!.size > maxBytes;
      const isSound = isStraight && areFiles && !isLarge && areSafe([one!, two!, ...named], own);
      return isSound ? () => checkPrivate(file, one!) : undefined;
    },
    () => undefined,
  );
  return { texts, sound };
}
