import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { createLog, type LogFormat } from "../../src/platform/log.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ownFolder } from "../support/folder.ts";
import { runsOf } from "../support/property.ts";

const secret = 'canary "quoted" \\secret/';
let folder: ReturnType<typeof ownFolder>;
let warned: ReturnType<typeof spyOn<Console, "warn">>;
beforeEach(() => {
  folder = ownFolder();
  warned = spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  warned.mockRestore();
  folder[Symbol.dispose]();
});

/** What one line of the log says of `value`. */
function lineOf(format: LogFormat, value: string): string {
  const redactor = new Redactor();
  redactor.add(secret);
  warned.mockClear();
  createLog({ level: "trace", format, redactor }).warn("said", { server: "kb", value, n: 1 });
  const [line] = warned.mock.calls[0] as [string];
  return line;
}

const formats = [["text"], ["json"]] as [LogFormat][];

test.each(formats)("in format %s every entry is one line without a known secret", (format) => {
  const around = fc.string({ unit: "binary", maxLength: 3000 });
  fc.assert(
    fc.property(around, around, (before, after) => {
      const line = lineOf(format, before + secret + after);
      expect(line).not.toContain("\n");
      expect(line).not.toContain("canary");
      if (format === "json") expect(JSON.parse(line)).toMatchObject({ event: "said", n: 1 });
    }),
    runsOf(import.meta.file),
  );
});

test.each(
  formats.flatMap(([format]) =>
    [
      '{"mcp-session-id":"canary"}',
      '{"authorization": "Bearer canary"}',
      'cookie: "canary"',
      "Set-Cookie=canary; Path=/",
      "?code=canary&state=canary",
      "http://canary:canary@host/",
      "Authorization: Basic canary12345",
    ].map((value): [LogFormat, string] => [format, value]),
  ),
)("in format %s the value of a secret header or parameter is redacted: %s", (format, value) => {
  const line = lineOf(format, value);
  expect(line).not.toContain("canary");
  if (format === "json") expect(JSON.parse(line).n).toBe(1);
});

test("the mode of our log file is set to 0600; a device keeps its mode", () => {
  const file = join(folder.path, "log");
  writeFileSync(file, "before\n");
  chmodSync(file, 0o644);
  const device = statSync("/dev/null").mode;
  for (const each of [file, "/dev/null"])
    createLog({ level: "info", format: "text", file: each, redactor: new Redactor() }).info("one");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).toMatch(/^before\n.* INFO {2}one\n$/);
  expect(statSync("/dev/null").mode).toBe(device);
});

describe("a log file that another user put in place", () => {
  const warnings = (file: string) => {
    warned.mockClear();
    const log = createLog({ level: "info", format: "text", file, redactor: new Redactor() });
    log.info("one");
    log.info("two");
    const lines = warned.mock.calls.map(([line]) => String(line));
    return lines.filter((line) => line.startsWith("cannot write"));
  };
  const log = () => join(folder.path, "log");

  test("is a symlink: it is refused, whether its target exists or not", () => {
    const target = join(folder.path, "target");
    symlinkSync(target, log());
    expect(warnings(log())).toEqual([`cannot write the log file ${log()}: it is a symlink`]);
    expect(existsSync(target)).toBe(false);
    writeFileSync(target, "kept");
    expect(warnings(log())).toHaveLength(1);
    expect(readFileSync(target, "utf8")).toBe("kept");
  });

  test("is a pipe: it is refused and never blocks, with a reader or without", () => {
    expect(Bun.spawnSync(["mkfifo", log()]).exitCode).toBe(0);
    const expected = [`cannot write the log file ${log()}: it is no regular file`];
    expect(warnings(log())).toEqual(expected);
    const reader = openSync(log(), constants.O_RDONLY | constants.O_NONBLOCK);
    expect(warnings(log())).toEqual(expected);
    expect(readSync(reader, new Uint8Array(8))).toBe(0);
    closeSync(reader);
  });

  test("belongs to another user: it is refused", () => {
    writeFileSync(log(), "kept");
    if (process.getuid!() === 0) chownSync(log(), 65_534, 65_534);
    const other = process.getuid!() === 0 ? undefined : spyOn(process, "getuid");
    other?.mockReturnValue(statSync(log()).uid + 1);
    try {
      expect(warnings(log())).toEqual([
        `cannot write the log file ${log()}: it belongs to another user`,
      ]);
    } finally {
      other?.mockRestore();
    }
    expect(readFileSync(log(), "utf8")).toBe("kept");
  });

  test("is a hard link to another file: it is refused", () => {
    const other = join(folder.path, "other");
    writeFileSync(other, "kept");
    linkSync(other, log());
    expect(warnings(log())).toEqual([
      `cannot write the log file ${log()}: it is linked under another name`,
    ]);
    expect(readFileSync(other, "utf8")).toBe("kept");
  });

  test("is a folder: it is refused", () => {
    expect(warnings(folder.path)).toEqual([`cannot write the log file ${folder.path}: EISDIR`]);
  });

  test("is checked again after a rotation", () => {
    writeFileSync(log(), "x".repeat(11 * 1024 * 1024));
    expect(warnings(log())).toEqual([]);
    expect(readFileSync(log(), "utf8")).toMatch(/ one\n.* two\n$/);
    expect(statSync(`${log()}.1`).size).toBe(11 * 1024 * 1024);
    expect(statSync(log()).mode & 0o777).toBe(0o600);
  });
});

test("a missing folder of the log file is made, closed to others", () => {
  const file = join(folder.path, "logs", "kb.log");
  createLog({ level: "info", format: "text", file, redactor: new Redactor() }).info("one");
  expect(readFileSync(file, "utf8")).toEndWith("INFO  one\n");
  expect(statSync(join(folder.path, "logs")).mode & 0o777).toBe(0o700);
});

test("a log file that cannot be written causes one warning; stderr still gets every line", () => {
  writeFileSync(join(folder.path, "none"), "");
  const file = join(folder.path, "none", "log");
  const log = createLog({ level: "info", format: "text", file, redactor: new Redactor() });
  log.info("one");
  log.info("two");
  log.debug("unseen");
  const lines = warned.mock.calls.map(([line]) => String(line).replace(/^\S+Z /, ""));
  expect(lines).toEqual([
    "INFO  one",
    expect.stringContaining("cannot write the log file"),
    "INFO  two",
  ]);
  const good = join(folder.path, "log");
  createLog({ level: "warn", format: "text", file: good, redactor: new Redactor() }).warn("kept");
  expect(readFileSync(good, "utf8")).toEndWith(" WARN  kept\n");
});
