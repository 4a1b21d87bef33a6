import { spyOn } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trustingFile } from "./trusting-file.ts";

/** A temporary folder for one test, removed with its contents. */
export function ownFolder(): Disposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "bridge-test-")));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Makes the fast file check accept every folder above `folder`: temporary folders stand in /tmp, where every user may
 * write. Faults inside `folder` are still found.
 */
export function trustAbove(folder: string): Disposable {
  const trusting = trustingFile(folder);
  return spyOn(Bun, "file").mockImplementation(trusting);
}
