import { expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { programOnPath } from "../../src/platform/on-path.ts";
import { ownFolder } from "../support/folder.ts";

test("a program is taken from absolute folders of PATH only", () => {
  using folder = ownFolder();
  const program = join(folder.path, "tool");
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
  const nearby = relative(process.cwd(), folder.path);
  expect(programOnPath("tool", `/nowhere:${folder.path}`)).toBe(program);
  expect(programOnPath(program, undefined)).toBe(program);
  expect(programOnPath("tool", nearby)).toBeUndefined();
  expect(programOnPath(join(nearby, "tool"), folder.path)).toBeUndefined();
  expect(programOnPath("tool", "")).toBeUndefined();
});
