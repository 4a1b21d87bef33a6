import { fs } from "./fs.ts";

/** Identifies the content of a file without reading it: changes when the file is replaced or written. */
export function fileVersionOf(path: string): string {
  const stats = fs().statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.ino} ${stats.mtimeMs}`;
}
