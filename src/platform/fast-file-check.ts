// Stand-in for the judgement in files.ts, which needs node:fs (a millisecond of a start): this one uses Bun alone, and any doubt
// is left to that judgement.
import { judgePrivate } from "./judge.ts";
import { dirname } from "./path.ts";

/** Also what is thrown at once, for a path that is too long, comes by the promise. */
const look = async (path: string) => Bun.file(path).stat();
type Looked = Awaited<ReturnType<typeof look>>;

const isSame = (a: Looked, b: Looked) => a.dev === b.dev && a.ino === b.ino;

/** Whether all belong to the user or root, and nobody else may write to one. */
function areSafe(all: readonly Looked[], own: number): boolean {
  for (const { uid, mode } of all)
    if ((uid !== own && uid !== 0) || (mode & 0o022) !== 0) return false;
  return true;
}

/** The text at its beginning; undefined where it cannot be read, or is no UTF-8. */
async function read(path: string, mostBytes: number): Promise<string | undefined> {
  try {
    const bytes = await Bun.file(path).slice(0, mostBytes).bytes();
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The folder and those above it as its path spells them, the root last. */
function above(folder: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== dirname(at); folders.push(at)) at = dirname(at);
  return folders;
}

/** What a look brings. */
export interface FastFileCheck {
  /** What stands in the two files, wherever they come from: undefined for one that cannot be read. */
  readonly texts: Promise<(string | undefined)[]>;
  /**
   * Demands that others than its owner cannot read the first file (throws `configuration`); undefined where the
   * judgement of files.ts might object to anything: it has the words for that.
   */
  readonly sound: Promise<(() => void) | undefined>;
}

/**
 * Reads a file and another one in a folder beside it, and looks at their owners, modes and folders meanwhile: what they
 * say counts only where they are `sound`. On the way there is then no link that leads elsewhere, nor a folder in which
 * others might lay one; the file itself may be a link, which is its owner's will.
 */
export function checkFilesFast(file: string, other: string, maxBytes: number): FastFileCheck {
  const own = process.getuid!();
  const files = [file, other];
  const texts = Promise.all(files.map((path) => read(path, maxBytes)));
  const folders = above(dirname(other));
  const parents = folders.slice(0, -1).map((folder) => `${folder}/..`);
  const sound = Promise.all([...files, ...folders, ...parents].map(look)).then(
    ([one, two, ...rest]) => {
      const spelled = rest.slice(0, folders.length);
      const isStraight = rest
        .slice(folders.length)
        .every((parent, level) => isSame(parent, spelled[level + 1]!));
      const areFiles = one!.isFile() && two!.isFile();
      const isLarge = one!.size > maxBytes || two!.size > maxBytes;
      const isSound = isStraight && areFiles && !isLarge && areSafe([one!, two!, ...spelled], own);
      return isSound ? () => judgePrivate(file, one!) : undefined;
    },
    () => undefined,
  );
  return { texts, sound };
}
