import { mkdtempSync, readdirSync, realpathSync, rmdirSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BridgeError } from "../wire/errors.ts";

/**
 * Runs `work` with the path of an empty folder (0700), and removes the folder afterwards. Throws `configuration` if the
 * folder cannot be created, as on a read-only file system. A file that cannot be removed, as one that a virus scanner
 * holds on Windows, stays: the work is done.
 */
export async function withTempFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = makeTempFolder();
  try {
    return await work(folder);
  } finally {
    try {
      remove(folder);
    } catch {}
  }
}

/** Removes a folder file by file: Bun's recursive `rm` fails under wine 8 (EFAULT). */
function remove(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) remove(path);
    else unlinkSync(path);
  }
  rmdirSync(folder);
}

function makeTempFolder(): string {
  try {
    return realpathSync(mkdtempSync(join(tmpdir(), "codex-mcp-http-bridge-")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BridgeError("configuration", `no folder can be made in ${tmpdir()} (${code})`, {
      hint: "let TMPDIR name a folder that this user may write",
      cause: error,
    });
  }
}
