import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { checkFilesFast } from "../../src/platform/fast-file-check.ts";
import { ownFolder, trustAbove } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
let trust: Disposable;
beforeEach(() => {
  folder = ownFolder();
  trust = trustAbove(folder.path);
  mkdirSync(at("home/cache"), { recursive: true, mode: 0o700 });
  writeFileSync(at("home/config.json"), "config", { mode: 0o600 });
  mkdirSync(at("other"), { mode: 0o700 });
  writeFileSync(at("other/config.json"), "another", { mode: 0o600 });
  writeFileSync(at("home/cache/kb.json"), "memory", { mode: 0o600 });
});
afterEach(() => {
  trust[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const at = (path: string) => join(folder.path, path);
const maxBytes = 1000;
const look = (home = "home") =>
  checkFilesFast(at(`${home}/config.json`), at(`${home}/cache/kb.json`), maxBytes);

test("two files of the user in closed folders are accepted and read", async () => {
  const { texts, sound } = look();
  expect(await texts).toEqual(["config", "memory"]);
  expect(await sound).toBeFunction();
});

test("privacy is required of the first file only", async () => {
  chmodSync(at("home/cache/kb.json"), 0o644);
  (await look().sound)!();
  chmodSync(at("home/config.json"), 0o644);
  const requirePrivate = await look().sound;
  expect(requirePrivate!).toThrow("may be read by others");
});

test.each([
  ["the file may be written by others", () => chmodSync(at("home/config.json"), 0o622)],
  ["the other file may be written by others", () => chmodSync(at("home/cache/kb.json"), 0o620)],
  ["its folder may be written by others", () => chmodSync(at("home/cache"), 0o770)],
  ["the home may be written by others", () => chmodSync(at("home"), 0o707)],
  ["a folder above may be written by others", () => chmodSync(folder.path, 0o777)],
  ["the file is missing", () => renameSync(at("home/config.json"), at("home/other"))],
  ["the other file is missing", () => renameSync(at("home/cache"), at("home/other"))],
  ["the file is a folder", () => replaceByFolder("home/config.json")],
  ["the file is too large", () => truncateSync(at("home/config.json"), maxBytes + 1)],
  ["the other folder is elsewhere", () => moveBehindLink("home/cache", "elsewhere")],
  ["the other folder is that of another home", () => moveBehindLink("home/cache", "other/cache")],
])("the files are not accepted if %s", async (_, spoil) => {
  spoil();
  expect(await look().sound).toBeUndefined();
});

function replaceByFolder(path: string): void {
  renameSync(at(path), at("old"));
  mkdirSync(at(path));
}

function moveBehindLink(path: string, target: string): void {
  renameSync(at(path), at(target));
  symlinkSync(at(target), at(path));
}

test("a symlink among the folders needs the full check: its owner may replace it", async () => {
  mkdirSync(at("real"), { mode: 0o700 });
  moveBehindLink("home", "real/home");
  expect(await look().sound).toBeUndefined();
});

test("a symlink to a file in the same folder is accepted", async () => {
  moveBehindLink("home", "real");
  expect(await look().sound).toBeFunction();
});

test("a sticky folder needs the full check: others may create a symlink in it", async () => {
  chmodSync(at("home"), 0o1777);
  expect(await look().sound).toBeUndefined();
});

test("a path that is too long for the system needs the full check", async () => {
  expect(await look(`${"x/".repeat(2500)}home`).sound).toBeUndefined();
});

test("a world-writable folder needs the full check", async () => {
  trust[Symbol.dispose]();
  chmodSync(folder.path, 0o777);
  expect(await look().sound).toBeUndefined();
});

test("a file of another user needs the full check", async () => {
  const own = process.getuid!();
  using _ = own === 0 ? undefined : spyOn(process, "getuid").mockReturnValue(own + 1);
  if (own === 0) chownSync(at("home/config.json"), 12_345, 12_345);
  expect(await look().sound).toBeUndefined();
});

test("a file that is not UTF-8 has no text", async () => {
  writeFileSync(at("home/config.json"), new Uint8Array([0x22, 0xff, 0x22]));
  expect((await look().texts)[0]).toBeUndefined();
});

test("a pipe instead of a file needs the full check, and does not block", async () => {
  renameSync(at("home/config.json"), at("old"));
  Bun.spawnSync(["mkfifo", at("home/config.json")]);
  expect(await look().sound).toBeUndefined();
});
