// A look at files through Bun alone: a start that finds nothing to object to goes on without node:fs.
import { isOpenToOthers, isOwned, judgePrivate } from "./files.ts";
import { dirname } from "./path.ts";

/** How much deeper than it reads a folder may lie (/home is a link to /var/home on some systems). */
const margin = 2;

const look = (path: string) => Bun.file(path).stat();
type Looked = Awaited<ReturnType<typeof look>>;

const isSame = (a: Looked, b: Looked) => a.dev === b.dev && a.ino === b.ino;
const isSafe = (stats: Looked) => isOwned(stats) && !isOpenToOthers(stats);
const isSticky = ({ mode }: Looked) => (mode & 0o1000) !== 0;

/** The text at its beginning; undefined where it cannot be read, or is no UTF-8. */
async function read(path: string, mostBytes: number): Promise<string | undefined> {
  try {
    const bytes = await Bun.file(path).slice(0, mostBytes).bytes();
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The folder and those above it to the root, as the system goes up, whatever links lead here. */
function upwards(folder: string): string[] {
  const most = folder.split("/").length + margin;
  return Array.from({ length: most }, (_, steps) => folder + "/..".repeat(steps));
}

/** What a look brings. */
interface QuickLook {
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
 * say counts only where they are `sound`. A link in a folder that only its owner may write to is its owner's will.
 */
export function quickLook(file: string, other: string, maxBytes: number): QuickLook {
  const files = [file, other];
  const texts = Promise.all(files.map((path) => read(path, maxBytes)));
  const looks = [...files, dirname(file), ...upwards(dirname(other))].map(look);
  const sound = Promise.all(looks).then(
    ([one, two, home, ...folders]) => {
      const isRoot = isSame(folders.at(-1)!, folders.at(-2)!);
      const isBeside = isSame(home!, folders[1]!);
      const isSound =
        folders.every((each) => isSafe(each) || (isOwned(each) && isSticky(each))) &&
        [one!, two!].every((each) => each.isFile() && isSafe(each) && each.size <= maxBytes);
      return isRoot && isBeside && isSound ? () => judgePrivate(file, one!) : undefined;
    },
    () => undefined,
  );
  return { texts, sound };
}
