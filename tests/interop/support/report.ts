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

/** Writes the tables into docs/compatibility.md; `names` gives the order, and every one of them must have run. */
export function writeReport(names: readonly string[]): void {
  const ran = [...sections.values()].flatMap(({ rows }) => [...rows.keys()]);
  if (names.some((name) => !ran.includes(name))) return;
  const tables = [...sections].map(([title, { columns, rows }]) => {
    const lines = names
      .filter((name) => rows.has(name))
      .map((name) => `| ${[name.replace(/ as client$/, ""), ...rows.get(name)!].join(" | ")} |`);
    const head = [
      `| ${[title, ...columns].join(" | ")} |`,
      `|---${"|---".repeat(columns.length)}|`,
    ];
    return [...head, ...lines].join("\n");
  });
  const text = readFileSync(document, "utf8");
  const before = text.slice(0, text.indexOf(begin) + begin.length);
  const after = text.slice(text.indexOf(end));
  writeFileSync(document, `${before}\n${tables.join("\n\n")}\n${after}`);
}

/** Version of a package in a file of pins, as pip writes them. */
export function pinned(pins: string, name: string): string {
  const text = readFileSync(join(import.meta.dir, "../python", `${pins}.txt`), "utf8");
  return new RegExp(`^${name}==(.*)$`, "m").exec(text)?.[1] ?? "?";
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
