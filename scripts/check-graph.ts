// Tells from the build's import graph what `run` loads before its first answer, and fails when that grows beyond
// what start-up allows: bun scripts/check-graph.ts GRAPH.json

interface Graph {
  inputs: Record<
    string,
    { bytes: number; imports: { path: string; kind: string; original?: string }[] }
  >;
}

const forbidden = [
  "@clack",
  "consola",
  "oauth4webapi",
  "toml-eslint-parser",
  "jsonc-parser",
  "citty",
];
// They cost 1 to 2 ms: src/platform/fs.ts and path.ts take them when they are needed, as a stored sign-in needs them.
const builtIn = ["node:"];
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

// The folder of the early answer may go; then nothing is loaded in its place.
const early = ["src/commands/run/early/early-answer.ts"].filter((file) => file in graph.inputs);
const answered = ["bridge.ts", ...early];
// What is imported lazily and needed all the same before the first answer.
const first = [
  ...answered,
  "src/cli/main.ts",
  "src/commands/run/run.ts",
  "src/config/load.ts",
  "src/upstream/connect-server.ts",
];
const starts = {
  "run, answered by the catalog,": { entries: answered, refused: [...forbidden, ...builtIn] },
  "run, at its first start,": { entries: first, refused: [...forbidden, ...builtIn] },
  "run, signed in by OAuth,": {
    entries: [...first, "src/oauth/authorizer/open.ts"],
    refused: forbidden,
  },
};
for (const [start, { entries, refused }] of Object.entries(starts)) {
  const missing = entries.find((file) => graph.inputs[file] === undefined);
  if (missing !== undefined) throw new Error(`the graph does not hold ${missing}`);
  const files = loaded(entries);
  const bytes = files.reduce((sum, file) => sum + graph.inputs[file]!.bytes, 0);
  const packages = files.flatMap((file) => [
    ...(/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.slice(1) ?? []),
    ...graph.inputs[file]!.imports.flatMap(({ kind, original = "" }) =>
      kind !== "dynamic-import" && original.startsWith("node:") && file.startsWith("src/")
        ? [original]
        : [],
    ),
  ]);
  const found = packages.filter((name) => refused.some((word) => name.startsWith(word)));
  const named = [...new Set(packages)].sort().join(", ") || "no package";
  console.log(
    `${start} loads ${files.length} modules, ${Math.ceil(bytes / 1024)} KiB of source, ${named}`,
  );
  if (found.length === 0) continue;
  console.error(`error: ${start} loads ${[...new Set(found)].join(", ")}`);
  console.error("hint: import it inside the function that needs it");
  process.exitCode = 1;
}
