// Writes the licences of everything in the executable besides our own code: bun scripts/licenses.ts GRAPH.json OUT
// The packages are those of the build's import graph. Bun's own page names what Bun links and embeds.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const [graphFile, out] = process.argv.slice(2);
if (graphFile === undefined || out === undefined)
  throw new Error("usage: bun scripts/licenses.ts GRAPH.json OUT");

const graph: { inputs: Record<string, unknown> } = await Bun.file(graphFile).json();
const folders = new Set(
  Object.keys(graph.inputs).flatMap(
    (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [],
  ),
);

const isLicense = (name: string) => /^(licen[cs]e|copying|notice)/i.test(name);
const line = "=".repeat(80);

/** The heading and the licence texts of one package. Throws where it ships none. */
function sectionOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder)
    .filter(isLicense)
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
  if (texts.length === 0) throw new Error(`${name} ${version} ships no licence text`);
  return `${line}\n${name} ${version} (${license})\n${line}\n\n${texts.join("\n\n")}\n`;
}

const sections = [...folders].map((folder) => sectionOf(join(root, folder))).sort();
const bun = join(root, "node_modules/bun-types");
const { version } = JSON.parse(readFileSync(join(bun, "package.json"), "utf8"));
const page = readFileSync(join(bun, "docs/project/license.mdx"), "utf8");
const [, body = page] = /^---\n.*?\n---\n+(.*)$/s.exec(page) ?? [];
sections.push(`${line}\nBun ${version}, the run time\n${line}\n\n${body.trim()}\n`);
writeFileSync(
  out,
  `The executable contains these packages and this run time.\n\n${sections.join("\n")}`,
);
console.log(`collected the licences of ${folders.size} packages and of Bun ${version}`);
