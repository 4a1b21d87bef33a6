import { expect, test } from "bun:test";
import { withTempFolder } from "../../src/platform/temp-folder.ts";

test("where no temporary folder can be made, the error names the place and the variable", async () => {
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
