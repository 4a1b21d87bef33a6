import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RecordFile } from "../../src/platform/record-file.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { runId } from "../../src/platform/run-id.ts";
import { memoryLog } from "../support/client.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
let path: string;
beforeEach(() => {
  folder = ownFolder();
  path = join(folder.path, "record.jsonl");
});
afterEach(() => folder[Symbol.dispose]());

const open = (maxBytes?: number, file = path) => {
  const log = memoryLog();
  const redactor = new Redactor();
  redactor.add("canary-secret");
  const limit = maxBytes === undefined ? {} : { maxBytes };
  return { log, record: new RecordFile({ path: file, redactor, log, ...limit }) };
};

test("a line is written at once, to a file closed to others", () => {
  const { record } = open();
  record.note({ from: "client" }, { message: '{"id":1}' });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const line = { at: expect.any(Number), run: runId(), from: "client", message: { id: 1 } };
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(line);
});

test.each([
  ['{"a":"canary-secret"}', { a: "..." }],
  ['{"a":12345678901234567890}', { a: 12345678901234567000 }],
  ['{"cookie":{"a":1}}', expect.any(String)],
  ["no JSON", "no JSON"],
  ['{"a":1}\n{"b":2}', '{"a":1}\n{"b":2}'],
])("every text makes one line without a secret: %j", (text, expected) => {
  open().record.note({}, { message: text });
  const written = readFileSync(path, "utf8");
  expect(written.trimEnd()).not.toContain("\n");
  expect(written).not.toContain("canary");
  expect(JSON.parse(written).message).toEqual(expected);
});

test("a record at its largest size says so and ends, and the log tells it once", () => {
  const { record, log } = open(2000);
  for (let n = 0; n < 100; n++) record.note({ n });
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ full: true });
  expect(statSync(path).size).toBeLessThan(2100);
  expect(log.events).toEqual([expect.stringContaining("the record ends")]);
});

test("a line that a kill has cut is ended before another run begins", () => {
  writeFileSync(path, '{"run":"r0","fr');
  open().record.note({ n: 1 });
  expect(readFileSync(path, "utf8")).toStartWith('{"run":"r0","fr\n{"at":');
});

test("a full disk ends the record, and nothing else", () => {
  const { record, log } = open(undefined, "/dev/full");
  record.note({});
  record.note({});
  expect(log.events).toEqual([expect.stringContaining("the disk is full")]);
});

test("a file that cannot be written is refused at once", () => {
  expect(() => open(undefined, folder.path)).toThrow("cannot be written");
});
