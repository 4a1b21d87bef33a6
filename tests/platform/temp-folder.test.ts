import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withTempFolder } from "../../src/platform/temp-folder.ts";
import { ownFolder } from "../support/folder.ts";

test("if no temporary folder can be created, the error names the parent folder and TMPDIR", async () => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = "/dev/null/nowhere";
  try {
    await expect(withTempFolder(async () => undefined)).rejects.toMatchObject({
      kind: "configuration",
      message: "no folder can be made in /dev/null/nowhere (ENOTDIR)",
      hint: expect.stringContaining("TMPDIR"),
    });
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});

test("the folder is removed with everything in it, and links are removed without their targets", async () => {
  using kept = ownFolder();
  writeFileSync(join(kept.path, "file"), "");
  const made = await withTempFolder(async (folder) => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    writeFileSync(join(folder, "a/b/file"), "");
    symlinkSync(kept.path, join(folder, "a/link"));
    return folder;
  });
  expect(existsSync(made)).toBe(false);
  expect(readdirSync(kept.path)).toEqual(["file"]);
});
