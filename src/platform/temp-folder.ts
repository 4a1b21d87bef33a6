import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BridgeError } from "../wire/errors.ts";

/**
 * Runs `work` with the path of an empty folder (0700), and removes the folder afterwards. Throws `configuration` if the
 * folder cannot be created, as on a read-only file system.
 */
export async function withTempFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = makeTempFolder();
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
