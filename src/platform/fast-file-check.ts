// Stand-in for file-permissions.ts, which needs node:fs (1 ms of every start): uses Bun alone, and leaves every doubtful
// case to file-permissions.ts.
import { judgePrivate } from "./file-permissions.ts";
import { dirname } from "./path.ts";

/** stat as a promise, even for a path that is too long, for which Bun throws at once. */
const statOf = async (path: string) => Bun.file(path).stat();
type FileStats = Awaited<ReturnType<typeof statOf>>;

const isSame = (a: FileStats, b: FileStats) => a.dev === b.dev && a.ino === b.ino;

/** Whether all belong to the user or root, and no other user may write to one of them. */
function areSafe(all: readonly FileStats[], own: number): boolean {
  for (const { uid, mode } of all)
    if ((uid !== own && uid !== 0) || (mode & 0o022) !== 0) return false;
  return true;
}

/** The first `mostBytes` of a file as text; undefined if it cannot be read or is not UTF-8. */
async function read(path: string, mostBytes: number): Promise<string | undefined> {
  try {
    const bytes = await Bun.file(path).slice(0, mostBytes).bytes();
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A folder and its parents as the path names them, up to the root. */
function above(folder: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== dirname(at); folders.push(at)) at = dirname(at);
  return folders;
}

/** The two files and the judgement of them. */
export interface FastFileCheck {
  /** The texts of the two files, not judged yet; undefined for one that cannot be read. */
  readonly texts: Promise<(string | undefined)[]>;
  /**
   * Resolves to undefined if file-permissions.ts might refuse anything; its error is then the one to show. Otherwise to a function
   * that throws `configuration` if users other than the owner may read the first file.
   */
  readonly sound: Promise<(() => void) | undefined>;
}

/**
 * Reads a file and a second one in a folder beside it, and judges their owners, modes and folders at the same time. Use
 * the texts only if `sound` says so: then no folder on the way is a link, and nobody else can put one there. The file
 * itself may be a link: its owner made it.
 */
export function checkFilesFast(file: string, other: string, maxBytes: number): FastFileCheck {
  const own = process.getuid!();
  const files = [file, other];
  const texts = Promise.all(files.map((path) => read(path, maxBytes)));
  const folders = above(dirname(other));
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
      return isSound ? () => judgePrivate(file, one!) : undefined;
    },
    () => undefined,
  );
  return { texts, sound };
}
