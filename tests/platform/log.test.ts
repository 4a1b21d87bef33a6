import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
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

test.each(formats)("in %s every value is one line, and no known secret is in it", (format) => {
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
)("in %s what is secret by its name is not shown: %s", (format, value) => {
  const line = lineOf(format, value);
  expect(line).not.toContain("canary");
  if (format === "json") expect(JSON.parse(line).n).toBe(1);
});

test("a file of ours that others may read is closed to them, and a device stays what it is", () => {
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

test("a file that cannot be written is told once, and stderr goes on", () => {
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
