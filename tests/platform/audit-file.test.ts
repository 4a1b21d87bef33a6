import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { AuditFile } from "../../src/platform/audit-file.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
let path: string;
beforeEach(() => {
  folder = ownFolder();
  path = join(folder.path, "audit.jsonl");
});
afterEach(() => folder[Symbol.dispose]());

/** The lines of all files, the renamed ones first. */
function allLines(): string[] {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  const names = readdirSync(folder.path).sort(compare);
  const last = names.indexOf("audit.jsonl");
  const ordered = [...names.toSpliced(last, 1), "audit.jsonl"];
  return ordered.flatMap((name) =>
    readFileSync(join(folder.path, name), "utf8").trimEnd().split("\n"),
  );
}

test("the file and a missing folder are closed to others, and an existing file becomes so", () => {
  const inFolder = join(folder.path, "sub", "audit.jsonl");
  new AuditFile(inFolder).append("{}");
  expect(statSync(inFolder).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder.path, "sub")).mode & 0o777).toBe(0o700);
  writeFileSync(path, "", { mode: 0o644 });
  new AuditFile(path).append("{}");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a full file is renamed, no line is lost, and no old file is deleted", () => {
  const file = new AuditFile(path, { rotateAtBytes: 1000, checkedForMs: 0 });
  const lines = Array.from({ length: 100 }, (_, n) => JSON.stringify({ n, pad: "x".repeat(40) }));
  for (const line of lines) file.append(line);
  expect(allLines()).toEqual(lines);
  const sizes = readdirSync(folder.path).map((name) => statSync(join(folder.path, name)).size);
  expect(sizes.length).toBeGreaterThan(4);
  expect(Math.max(...sizes)).toBeLessThan(1100);
});

test("a file that was renamed or deleted by others takes no line that is lost", () => {
  const file = new AuditFile(path, { rotateAtBytes: 1000, checkedForMs: 0 });
  file.append("1");
  renameSync(path, `${path}.moved`);
  file.append("2");
  expect(readFileSync(`${path}.moved`, "utf8")).toBe("1\n2\n");
  rmSync(`${path}.moved`);
  file.append("3");
  expect(readFileSync(path, "utf8")).toBe("3\n");
});

test("a line that a full disk has cut is not joined to the next", () => {
  writeFileSync(path, '{"n":1}\n{"n":2,"cu');
  new AuditFile(path).append('{"n":3}');
  expect(allLines()).toEqual(['{"n":1}', '{"n":2,"cu', '{"n":3}']);
});

test("a full disk is an error", () => {
  expect(() => new AuditFile("/dev/full").append("{}")).toThrow();
});

test("several processes rotate and write one file without losing or mixing a line", async () => {
  const script = `
    const { AuditFile } = await import(${JSON.stringify(join(import.meta.dir, "../../src/platform/audit-file.ts"))});
    const file = new AuditFile(${JSON.stringify(path)}, { rotateAtBytes: 20_000, checkedForMs: 0 });
    const pad = "x".repeat(200);
    for (let n = 0; n < 500; n++) file.append(JSON.stringify({ writer: process.argv.at(-1), n, pad }));`;
  const writers = ["a", "b", "c"].map((name) =>
    Bun.spawn([process.execPath, "-e", script, name], { stdout: "inherit", stderr: "inherit" }),
  );
  expect(await Promise.all(writers.map(({ exited }) => exited))).toEqual([0, 0, 0]);
  const lines = allLines().map((line) => JSON.parse(line) as { writer: string; n: number });
  for (const writer of ["a", "b", "c"]) {
    const numbers = lines.filter((line) => line.writer === writer).map(({ n }) => n);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  }
});

test("a symlink, a folder that others may write, and a path through a file are refused", () => {
  writeFileSync(join(folder.path, "other"), "");
  symlinkSync(join(folder.path, "other"), path);
  expect(() => new AuditFile(path).append("{}")).toThrow();
  const open = join(folder.path, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  expect(() => new AuditFile(join(open, "a")).append("{}")).toThrow("may be written by others");
  expect(() => new AuditFile(join(folder.path, "other", "a")).append("{}")).toThrow();
});
