import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Memory } from "../../src/host/memory.ts";
import { memoryLog } from "../support/client.ts";
import { ownFolder } from "../support/folder.ts";

const url = new URL("https://kb.example.com/mcp?key=canary");

test("what was learned outlives the process, belongs to its URL, and holds no secret of it", () => {
  using folder = ownFolder();
  const file = join(folder.path, "cache/kb.json");
  const first = new Memory(file, url, memoryLog());
  first.set("era", "legacy");
  first.flush();
  expect(readFileSync(file, "utf8")).not.toContain("canary");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(new Memory(file, url, memoryLog()).get("era")).toBe("legacy");
  const other = new URL("https://kb.example.com/mcp?key=other");
  expect(new Memory(file, other, memoryLog()).get("era")).toBeUndefined();
});

test("what two processes learn is kept together", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  const one = new Memory(file, url, memoryLog());
  const two = new Memory(file, url, memoryLog());
  one.set("a", 1);
  two.set("b", 2);
  one.flush();
  two.flush();
  const both = new Memory(file, url, memoryLog());
  expect([both.get("a"), both.get("b")]).toEqual([1, 2]);
});

test.each(["", "{", "[]", "null", '{"format":1}', '{"format":1,"url":1,"facts":null}'])(
  "a file of %p is as good as none",
  (text) => {
    using folder = ownFolder();
    const file = join(folder.path, "kb.json");
    writeFileSync(file, text, { mode: 0o600 });
    expect(new Memory(file, url, memoryLog()).get("a")).toBeUndefined();
  },
);

test("a file that cannot be written is only logged", () => {
  using folder = ownFolder();
  writeFileSync(join(folder.path, "cache"), "");
  const log = memoryLog();
  const memory = new Memory(join(folder.path, "cache/kb.json"), url, log);
  memory.set("a", 1);
  memory.flush();
  expect(memory.get("a")).toBe(1);
  expect(log.events.join("\n")).toContain("cannot remember");
});
