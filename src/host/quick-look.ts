// A look at files through Bun alone: a start that finds nothing to object to goes on without node:fs.
import { judgePrivate } from "./files.ts";
import { dirname } from "./path.ts";

const look = (path: string) => Bun.file(path).stat();
type Looked = Awaited<ReturnType<typeof look>>;

const isSame = (a: Looked, b: Looked) => a.dev === b.dev && a.ino === b.ino;

/** Whether all belong to the user or root, and nobody else may write to one; to a folder that is sticky, others may. */
function areSafe(all: readonly Looked[], own: number): boolean {
  for (const stats of all) {
    const { uid, mode } = stats;
    const isOpen = (mode & 0o022) !== 0 && ((mode & 0o1000) === 0 || stats.isFile());
    if ((uid !== own && uid !== 0) || isOpen) return false;
  }
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

/** The folder and those above it, as the system goes up whatever links lead here: to the root, if it is as deep as it reads. */
function upwards(folder: string): string[] {
  const depth = folder.split("/").length - 1;
  // The root stands above itself: the last two are the same one.
  return Array.from({ length: depth + 2 }, (_, steps) => folder + "/..".repeat(steps));
}

/** What a look brings. */
export interface QuickLook {
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
  const folder = dirname(other);
  const own = process.getuid!();
  const files = [file, other];
  const texts = Promise.all(files.map((path) => read(path, maxBytes)));
  const sound = Promise.all([...files, dirname(file), ...upwards(folder)].map(look)).then(
    ([one, two, home, ...folders]) => {
      const isInPlace = isSame(home!, folders[1]!) && isSame(folders.at(-1)!, folders.at(-2)!);
      const areFiles = one!.isFile() && two!.isFile();
      const isLarge = one!.size > maxBytes || two!.size > maxBytes;
      const isSound = isInPlace && areFiles && !isLarge && areSafe([one!, two!, ...folders], own);
      return isSound ? () => judgePrivate(file, one!) : undefined;
    },
    () => undefined,
  );
  return { texts, sound };
}
