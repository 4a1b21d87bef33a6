import { codeOf, fileSystemError } from "./file-permissions.ts";
import { fs } from "./fs.ts";
import { join } from "./path.ts";

/** Names that are tried: `chart.png`, `chart-2.png`, and so on. */
const maxNames = 1000;

/**
 * Writes a file that did not exist before, mode 0600, and returns its path; a taken name gets a number. Nothing is ever
 * overwritten and no symlink is followed (O_EXCL). Throws `configuration`.
 */
export function writeNewFile(
  folder: string,
  { stem, extension }: { readonly stem: string; readonly extension: string },
  bytes: Uint8Array,
): string {
  for (let number = 1; ; number++) {
    const path = join(folder, `${stem}${number === 1 ? "" : `-${number}`}.${extension}`);
    try {
      fs().writeFileSync(path, bytes, { flag: "wx", mode: 0o600 });
      return path;
    } catch (error) {
      if (codeOf(error) !== "EEXIST" || number === maxNames)
        throw fileSystemError("write", path, error);
    }
  }
}
