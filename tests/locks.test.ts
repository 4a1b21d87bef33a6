import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const locks = ["", "bench/", "tests/*/", "tests/*/*/"].flatMap((folder) =>
  [...new Bun.Glob(`${folder}package-lock.json`).scanSync(root)].filter(
    (file) => !file.includes("node_modules"),
  ),
);

test("the root, the benchmark and the suites with packages of their own have a lock", () => {
  expect(locks).toEqual(expect.arrayContaining(["package-lock.json", "bench/package-lock.json"]));
});

interface Lock {
  readonly packages: Readonly<Record<string, { integrity?: string; link?: boolean }>>;
}

test.each(locks)("%s has the integrity of every package and no download address", (file) => {
  const text = readFileSync(join(root, file), "utf8");
  const { packages } = JSON.parse(text) as Lock;
  const entries = Object.entries(packages).filter(([path]) => path !== "");
  expect(entries.length).toBeGreaterThan(0);
  expect(entries.filter(([, { integrity = "" }]) => !/^sha(512|1)-/.test(integrity))).toEqual([]);
  expect(text).not.toMatch(/"resolved"|\.tgz/);
});
