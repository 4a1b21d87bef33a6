import { spyOn } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trustingFile } from "./trusting-file.ts";

/** A folder of a test's own, removed with everything in it. */
export function ownFolder(): Disposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "bridge-test-")));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Lets a quick look find nothing wrong above a test's folder, wherever folders for tests stand (/tmp is open to all), and
 * whatever is wrong in it.
 */
export function trustAbove(folder: string): Disposable {
  const trusting = trustingFile(folder);
  return spyOn(Bun, "file").mockImplementation(trusting);
}
