// Tells from the build's import graph what `run` loads at its start, and fails when that grows beyond
// what start-up allows: bun scripts/check-graph.ts GRAPH.json

interface Graph {
  inputs: Record<string, { bytes: number; imports: { path: string; kind: string }[] }>;
}

const forbidden = ["@clack", "consola", "oauth4webapi", "toml-eslint-parser", "citty"];
const path = process.argv[2];
if (path === undefined) throw new Error("usage: bun scripts/check-graph.ts GRAPH.json");
const graph: Graph = await Bun.file(path).json();

/** Everything that is evaluated as soon as the starts are: static imports, all the way down. */
function loaded(starts: string[]): string[] {
  const seen = new Set<string>();
  const open = [...starts];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const input = graph.inputs[file];
    if (input === undefined || seen.has(file)) continue;
    seen.add(file);
    open.push(...input.imports.filter(({ kind }) => kind !== "dynamic-import").map((i) => i.path));
  }
  return [...seen];
}

const files = loaded(["bridge.ts", "src/commands/run.ts"]);
if (!files.includes("src/commands/run.ts")) throw new Error("the graph does not hold run");
const bytes = files.reduce((sum, file) => sum + graph.inputs[file]!.bytes, 0);
const packages = files.flatMap(
  (file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
);
const found = packages.filter((name) => forbidden.some((word) => name.startsWith(word)));
const named = [...new Set(packages)].sort().join(", ") || "no package";
console.log(
  `run loads ${files.length} modules, ${Math.ceil(bytes / 1024)} KiB of source, ${named}`,
);
if (found.length > 0) {
  console.error(`error: run loads ${[...new Set(found)].join(", ")} at its start`);
  console.error("hint: import it inside the function that needs it");
  process.exit(1);
}
