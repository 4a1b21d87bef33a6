import { describe, expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");
const floors = ["wire", "host", "oauth", "upstream", "relay", "commands"] as const;
const houseFiles = ["bridge.ts", ...[...new Bun.Glob("src/**/*.ts").scanSync(root)].sort()];
const sources = new Map<string, string>();
for (const file of houseFiles) sources.set(file, await Bun.file(join(root, file)).text());

/** bridge.ts and src/cli.ts stand on the floor of the commands. */
function floorOf(file: string): number {
  const folder = /^src\/([^/]+)\//.exec(file)?.[1];
  return folder === undefined ? floors.length : floors.indexOf(folder as "wire") + 1;
}

/** What a file imports, types and lazy imports included, as written. */
function importsOf(file: string): string[] {
  const found = sources.get(file)!.matchAll(/(?<!")\b(?:from|import)(?:\s+|\s*\(\s*)"([^"]+)"/g);
  return [...found].map((match) => match[1]!);
}

/** The files of ours that a file imports, as paths from the root. */
function neighboursOf(file: string): string[] {
  return importsOf(file)
    .filter((name) => name.startsWith(".") && name.endsWith(".ts"))
    .map((name) => relative(root, join(root, dirname(file), name)));
}

const withoutComments = (text: string) => text.replace(/\/\*.*?\*\/|^\s*\/\/[^\n]*$/gms, "");

const packagesOfFloor: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  host: ["valibot", "consola/core"],
  oauth: ["oauth4webapi", "valibot"],
  upstream: [],
  relay: [],
  commands: ["citty", "@clack/prompts", "toml-eslint-parser"],
};

describe("the floors", () => {
  test.each(houseFiles)("%s imports from its own floor or a lower one", (file) => {
    const above = neighboursOf(file).filter((other) => floorOf(other) > floorOf(file));
    expect(above).toEqual([]);
  });

  test.each(houseFiles)("%s imports only the packages of its floor", (file) => {
    const floor = floors[floorOf(file) - 1] ?? "commands";
    const packages = importsOf(file).filter((name) => !/^(\.|node:|bun:|bun$)/.test(name));
    expect(packages.filter((name) => !packagesOfFloor[floor]!.includes(name))).toEqual([]);
  });

  test("wire touches neither the machine nor the run time's I/O", () => {
    const touching = houseFiles
      .filter((file) => floorOf(file) === 1)
      .filter((file) =>
        /\b(node:|Bun\.|process\.|Date\.now|performance\.)/.test(sources.get(file)!),
      );
    expect(touching).toEqual([]);
  });

  test("no file imports itself by a circle", () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(" -> "));
      if (way.includes(file) || done.has(file)) return;
      for (const other of neighboursOf(file)) walk(other, [...way, file]);
      done.add(file);
    };
    for (const file of houseFiles) walk(file, []);
    expect(circles).toEqual([]);
  });
});

describe("the rules of the house", () => {
  test.each(houseFiles)("%s has at most 300 lines", (file) => {
    expect(sources.get(file)!.trimEnd().split("\n").length).toBeLessThanOrEqual(300);
  });

  test("fetch( is called in src/host/http.ts alone, once", () => {
    const places = houseFiles.flatMap((file) =>
      [...withoutComments(sources.get(file)!).matchAll(/(?<![\w.#]|async )fetch\(/g)].map(
        () => file,
      ),
    );
    expect(places).toEqual(["src/host/http.ts"]);
  });

  test("only commands and the log print", () => {
    const printing = houseFiles.filter(
      (file) =>
        /\bconsole\./.test(sources.get(file)!) &&
        floorOf(file) < floors.length &&
        !["src/host/log.ts", "src/host/speech.ts"].includes(file),
    );
    expect(printing).toEqual([]);
  });

  test.each(houseFiles.filter((file) => file !== "bridge.ts"))(
    "%s loads, and does nothing by itself",
    async (file) => {
      expect(await import(join(root, file))).toBeDefined();
    },
  );
});
