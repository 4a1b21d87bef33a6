import { dlopen } from "bun:ffi";
import { closeSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

// inotify(7) through libc: it needs no package and no tracer, and it works for root too.
const flags = { nonBlocking: 0x800, opened: 0x20 };
const headerBytes = 16;

/** Watches a folder and its present subfolders (Linux). */
export function watchOpens(folder: string): Disposable & {
  /** Files and folders opened since the last call, as paths from the folder. */
  opened(): string[];
} {
  const { symbols, close } = dlopen("libc.so.6", {
    inotify_init1: { args: ["i32"], returns: "i32" },
    inotify_add_watch: { args: ["i32", "cstring", "u32"], returns: "i32" },
  });
  const fd = symbols.inotify_init1(flags.nonBlocking);
  const inside = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  const watched = new Map<number, string>();
  for (const path of [folder, ...inside]) {
    const watch = symbols.inotify_add_watch(fd, Buffer.from(`${path}\0`), flags.opened);
    if (watch < 0) throw new Error(`${path} cannot be watched`);
    watched.set(watch, path.slice(folder.length + 1));
  }
  return {
    opened() {
      const found: string[] = [];
      for (const bytes of reads(fd))
        for (let at = 0; at < bytes.length; ) {
          const length = bytes.readUInt32LE(at + 12);
          const name = bytes.toString("utf8", at + headerBytes, at + headerBytes + length);
          found.push(join(watched.get(bytes.readInt32LE(at)) ?? "", name.replace(/\0+$/, "")));
          at += headerBytes + length;
        }
      return found;
    },
    [Symbol.dispose]() {
      closeSync(fd);
      close();
    },
  };
}

function* reads(fd: number): Generator<Buffer> {
  const buffer = Buffer.alloc(64 * 1024);
  for (;;) {
    try {
      const length = readSync(fd, buffer);
      yield buffer.subarray(0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return;
      throw error;
    }
  }
}
