import { closeSync, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { BridgeError } from "../wire/errors.ts";
import { shellWord } from "../wire/text.ts";
import { makePrivateFolder } from "./files.ts";
import { lockFile } from "./paths.ts";

const firstWaitMs = 2;
const longestWaitMs = 50;

/** Creates the lock file with mode 0600 if missing: SQLite would apply the umask. */
function makeLockFile(path: string): void {
  makePrivateFolder(dirname(path));
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST" && lstatSync(path).isFile()) return;
    throw new BridgeError("configuration", `cannot lock ${path} (${code})`, {
      hint: code === "EEXIST" ? `run rm ${shellWord(path)}` : "make the folder writable for you",
      cause: error,
    });
  }
}

/**
 * Runs `work` while holding the lock `name` of a folder. The kernel frees the lock when the process dies; a pid file
 * would not work for containers that share a home. Waits without blocking; rejects with the signal's reason if the
 * signal is aborted while waiting.
 */
export async function withLock<T>(
  folder: string,
  name: string,
  work: () => T | Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = lockFile(folder, name);
  const database = await openLock(path);
  try {
    for (let waitMs = firstWaitMs; !tryLock(database, path); ) {
      signal?.throwIfAborted();
      // Jitter, so that waiting processes do not retry at the same moments.
      await Bun.sleep(waitMs * (0.5 + Math.random()));
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
    return await work();
  } finally {
    // Closing rolls back the empty transaction, which frees the lock.
    database.close();
  }
}

/** Whether a process holds the lock. */
export async function isLocked(folder: string, name: string): Promise<boolean> {
  const path = lockFile(folder, name);
  const database = await openLock(path);
  try {
    return !tryLock(database, path);
  } finally {
    database.close();
  }
}

async function openLock(path: string) {
  makeLockFile(path);
  // Imported lazily, because `run` needs no lock to start.
  const { Database } = await import("bun:sqlite");
  const database = new Database(path, { readwrite: true, create: false });
  database.run("PRAGMA busy_timeout = 0");
  return database;
}

function tryLock(database: { run(sql: string): unknown }, path: string): boolean {
  try {
    database.run("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    const code = (error as { code?: string }).code ?? "";
    if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return false;
    throw new BridgeError("configuration", `cannot lock ${path} (${code})`, {
      hint: `run rm ${shellWord(path)}`,
      cause: error,
    });
  }
}
