import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const documents = ["*.md", "docs/*.md"].flatMap((pattern) => [
  ...new Bun.Glob(pattern).scanSync(root),
]);

test("there are documents to check", () => {
  expect(documents).toEqual(expect.arrayContaining(["README.md", "docs/reliability.md"]));
});

test.each(documents)("%s links to files that exist", (document) => {
  const text = readFileSync(join(root, document), "utf8");
  const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, link]) => link!);
  const missing = links.filter((link) => !existsSync(join(root, dirname(document), link)));
  expect(missing).toEqual([]);
});

test.each(documents)("%s names source files that exist", (document) => {
  // The history of changes names files of its day.
  if (document === "CHANGELOG.md") return;
  const text = readFileSync(join(root, document), "utf8");
  const paths = [
    ...text.matchAll(/`((?:src|tests|scripts|bench|docs)\/[\w./-]+\.(?:ts|sh|md|txt))`/g),
  ];
  expect(paths.map(([, path]) => path!).filter((path) => !existsSync(join(root, path)))).toEqual(
    [],
  );
});

test("docs/compatibility.md holds a run without a failure", () => {
  const text = readFileSync(join(root, "docs/compatibility.md"), "utf8");
  expect(text.match(/ yes \|/g)?.length).toBeGreaterThan(40);
  expect(text).not.toContain("| fails |");
});

test("docs/errors.md has every error kind with its code and exit code", () => {
  const text = readFileSync(join(root, "docs/errors.md"), "utf8");
  const source = readFileSync(join(root, "src/wire/errors.ts"), "utf8");
  const told = [...text.matchAll(/^\| `([a-z-]+)` \| (\d+) \| (\d+)/gm)].map((row) => row.slice(1));
  const known = [...source.matchAll(/^ {2}"?([a-z-]+)"?: \[(\d+), (\d+)\],$/gm)]
    .map((row) => row.slice(1))
    // Only its exit code tells wrong usage from `configuration`.
    .filter(([kind]) => kind !== "usage");
  expect(known.length).toBeGreaterThan(15);
  expect(told).toEqual(known);
});
