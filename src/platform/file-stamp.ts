import { fs } from "./fs.ts";

/** Differs where a file was replaced or written meanwhile; costs no more than a look at it. */
export function fileVersionOf(path: string): string {
  const stats = fs().statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.ino} ${stats.mtimeMs}`;
}
