import { fs } from "./fs.ts";

/** Version of a file from inode and modification time: changes when the file is replaced or written; "" if missing. */
export function fileVersionOf(path: string): string {
  const stats = fs().statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.ino} ${stats.mtimeMs}`;
}
