import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { applyEdit, mutants } from "./table.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const names = Object.keys(mutants);
const document = read("docs/reliability.md");

test.each(names)("mutant %s changes text that stands in the source, and names its test", (name) => {
  const mutant = mutants[name]!;
  for (const edit of [mutant, ...(mutant.also ?? [])]) {
    const source = read(edit.file);
    expect(applyEdit(source, edit)).not.toBe(source);
  }
  expect(existsSync(join(root, mutant.test))).toBe(true);
});

test("docs/reliability.md names every mutant, and none that is not there", () => {
  const cells = [...document.matchAll(/ \| ([a-z]+(?:-[a-z]+)*(?:, [a-z-]+)*) \|$/gm)];
  const inRows = cells.flatMap(([, cell]) => cell!.split(", ")).filter((one) => one !== "mutant");
  const inText = [...document.matchAll(/mutant\s+([a-z-]+)/g)].map(([, name]) => name!);
  expect([...new Set([...inRows, ...inText])].sort()).toEqual(names.sort());
});

test("docs/reliability.md leads to files that are there", () => {
  const links = [...document.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThan(20);
  for (const link of links)
    expect({ link, exists: existsSync(join(root, "docs", link)) }).toEqual({ link, exists: true });
});
