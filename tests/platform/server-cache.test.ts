import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "../support/client.ts";
import { ownFolder } from "../support/folder.ts";

const url = new URL("https://kb.example.com/mcp?key=canary");

test("facts outlive the process, are tied to the URL, and contain no secret of the URL", () => {
  using folder = ownFolder();
  const file = join(folder.path, "cache/kb.json");
  const first = new ServerCache(file, url, memoryLog());
  first.set("protocol", "session");
  first.flush();
  expect(readFileSync(file, "utf8")).not.toContain("canary");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(new ServerCache(file, url, memoryLog()).get("protocol")).toBe("session");
  const other = new URL("https://kb.example.com/mcp?key=other");
  expect(new ServerCache(file, other, memoryLog()).get("protocol")).toBeUndefined();
});

test("facts of two processes are merged", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  const one = new ServerCache(file, url, memoryLog());
  const two = new ServerCache(file, url, memoryLog());
  one.set("a", 1);
  two.set("b", 2);
  one.flush();
  two.flush();
  const both = new ServerCache(file, url, memoryLog());
  expect([both.get("a"), both.get("b")]).toEqual([1, 2]);
});

test.each(["", "{", "[]", "null", '{"format":1}', '{"format":1,"url":1,"facts":null}'])(
  "a file with the content %p counts as empty",
  (text) => {
    using folder = ownFolder();
    const file = join(folder.path, "kb.json");
    writeFileSync(file, text, { mode: 0o600 });
    expect(new ServerCache(file, url, memoryLog()).get("a")).toBeUndefined();
  },
);

test("a failed write is only logged", () => {
  using folder = ownFolder();
  writeFileSync(join(folder.path, "cache"), "");
  const log = memoryLog();
  const cache = new ServerCache(join(folder.path, "cache/kb.json"), url, log);
  cache.set("a", 1);
  cache.flush();
  expect(cache.get("a")).toBe(1);
  expect(log.events.join("\n")).toContain("cannot write the cache");
});

test("changes of one value by two processes are merged, even if they write at the same time", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  const one = new ServerCache(file, url, memoryLog());
  const two = new ServerCache(file, url, memoryLog());
  const also = (name: string, meanwhile = () => {}) => {
    return (old: unknown) => {
      meanwhile();
      return { ...(old as object | undefined), [name]: true };
    };
  };
  let turns = 0;
  two.change("seen", also("two"));
  // Once when it is changed, once when it is written.
  one.change(
    "seen",
    also("one", () => {
      if (++turns === 2) two.flush();
    }),
  );
  one.flush();
  expect(turns).toBe(3);
  expect(one.get("seen")).toEqual({ one: true, two: true });
  expect(new ServerCache(file, url, memoryLog()).get("seen")).toEqual({ one: true, two: true });
});

test("a file that was removed, or that now belongs to another URL, is not written", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  const cache = new ServerCache(file, url, memoryLog());
  cache.set("a", 1);
  cache.flush();
  rmSync(file);
  cache.set("a", 2);
  cache.flush();
  expect(existsSync(file)).toBe(false);
  const other = new ServerCache(file, new URL("https://other.example.com/mcp"), memoryLog());
  other.set("b", 1);
  other.flush();
  const before = readFileSync(file, "utf8");
  cache.set("a", 3);
  cache.flush();
  expect(readFileSync(file, "utf8")).toBe(before);
  // What begins with it there belongs to the server as it is now.
  const fresh = new ServerCache(file, url, memoryLog());
  fresh.set("a", 4);
  fresh.flush();
  expect(new ServerCache(file, url, memoryLog()).get("a")).toBe(4);
});
