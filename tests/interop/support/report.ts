import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `not offered`: the system itself does not do it, asked without the bridge. */
export type Cell = "yes" | "fails" | "not offered";

interface Section {
  readonly columns: readonly string[];
  readonly rows: Map<string, readonly Cell[]>;
}

const document = join(import.meta.dir, "../../../docs/compatibility.md");
const [begin, end] = ["<!-- interop: begin -->", "<!-- interop: end -->"];
const sections = new Map<string, Section>();

/** Notes the result of one system. */
export function note(title: string, name: string, cells: Readonly<Record<string, Cell>>): void {
  const section = sections.get(title) ?? { columns: Object.keys(cells), rows: new Map() };
  section.rows.set(name, Object.values(cells));
  sections.set(title, section);
}

/**
 * Writes the results into the tables of docs/compatibility.md. `names` gives the rows of each table in their order; a
 * system that did not run keeps its row, one that `names` lacks loses it.
 */
export function writeReport(names: Readonly<Record<string, readonly string[]>>): void {
  const text = readFileSync(document, "utf8");
  const before = text.slice(0, text.indexOf(begin) + begin.length);
  const after = text.slice(text.indexOf(end));
  const earlier = text
    .slice(before.length, text.length - after.length)
    .trim()
    .split("\n\n");
  const tables = earlier.map((table) => {
    const [head = "", rule = "", ...lines] = table.split("\n");
    const [, title = ""] = cellsOf(head);
    const rows = new Map(lines.map((line) => [cellsOf(line)[1]!, line]));
    for (const [name, cells] of sections.get(title)?.rows ?? [])
      rows.set(shown(name), `| ${[shown(name), ...cells].join(" | ")} |`);
    const inOrder = (names[title] ?? [])
      .map((name) => rows.get(shown(name)))
      .filter((row) => row !== undefined);
    return [head, rule, ...inOrder].join("\n");
  });
  writeFileSync(document, `${before}\n${tables.join("\n\n")}\n${after}`);
}

const shown = (name: string) => name.replace(/ as client$/, "");
const cellsOf = (line: string) => line.split("|").map((cell) => cell.trim());

/** Version of a package in a file of pins, as pip writes them. */
export function pinned(pins: string, name: string): string {
  const text = readFileSync(join(import.meta.dir, "../python", `${pins}.txt`), "utf8");
  return new RegExp(`^${name}==(.*)$`, "m").exec(text)?.[1] ?? "?";
}

/** Version of a Maven package of this suite, by its property in the POM. */
export function property(name: string): string {
  const text = readFileSync(join(import.meta.dir, "../java/pom.xml"), "utf8");
  return new RegExp(`<${name}>(.*)</${name}>`).exec(text)?.[1] ?? "?";
}

/** Version of an npm package of this suite. */
export function installed(name: string): string {
  const lock = JSON.parse(readFileSync(join(import.meta.dir, "../package-lock.json"), "utf8"));
  return lock.packages[`node_modules/${name}`].version;
}

/** Version of a Go module of this suite. */
export function required(module: string): string {
  const text = readFileSync(join(import.meta.dir, "../go/go.mod"), "utf8");
  return new RegExp(`${module} v(\\S+)`).exec(text)?.[1] ?? "?";
}
