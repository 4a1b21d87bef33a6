import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const root = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const names = readdirSync(join(root, "mutants")).map((file) => basename(file, ".patch"));
const document = read("docs/reliability.md");

/** What each hunk of a patch expects to stand in which file. */
function expectations(patch: string): { file: string; text: string }[] {
  const found: { file: string; text: string }[] = [];
  let file = "";
  for (const line of patch.split("\n")) {
    if (line.startsWith("+++ b/")) file = line.slice(6);
    else if (line.startsWith("@@")) found.push({ file, text: "" });
    else if (found.length > 0 && /^[ -](?!--)/.test(line))
      found.at(-1)!.text += `${line.slice(1)}\n`;
  }
  return found;
}

test.each(names)("mutant %s changes what stands in the source, and names its tests", (name) => {
  const patch = read(`mutants/${name}.patch`);
  const places = expectations(patch);
  expect(places.length).toBeGreaterThan(0);
  for (const { file, text } of places)
    expect({ file, text, stands: read(file).includes(text) }).toEqual({ file, text, stands: true });
  const [, tests] = /^Tests: (\S+)/m.exec(patch) ?? [];
  expect(existsSync(join(root, tests ?? ""))).toBe(true);
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
