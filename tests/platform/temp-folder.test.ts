import { expect, test } from "bun:test";
import { withTempFolder } from "../../src/platform/temp-folder.ts";

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
