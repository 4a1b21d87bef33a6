import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");
const floors = [
  "wire",
  "platform",
  "config",
  "http",
  "oauth",
  "upstream",
  "relay",
  "cli",
  "commands",
] as const;
/** The order of the folders inside a floor, lowest first; "." is the floor's own folder, a group has no order. */
const roomsOfFloor: Readonly<Record<string, readonly (readonly string[])[]>> = {
  oauth: [["core"], ["discovery", "store"], ["client"], ["authorizer"], ["sign-in"]],
  upstream: [
    ["core"],
    ["transport", "retry"],
    ["stand-in"],
    ["session", "protocol", "catalog"],
    ["tools"],
    ["sign-in"],
    ["."],
  ],
  commands: [
    ["auth", "codex-config", "test"],
    ["client-config", "pin"],
    ["import"],
    [".", "completions", "demo", "doctor", "logs", "replay", "tools"],
    ["run"],
    ["setup"],
  ],
};
const houseFiles = ["bridge.ts", ...[...new Bun.Glob("src/**/*.ts").scanSync(root)].sort()];
const sources = new Map<string, string>();
for (const file of houseFiles) sources.set(file, await Bun.file(join(root, file)).text());

/** The number of a file's floor, 1 for wire; bridge.ts stands above all of them. */
function floorOf(file: string): number {
  const folder = /^src\/([^/]+)\//.exec(file)?.[1];
  return folder === undefined ? floors.length + 1 : floors.indexOf(folder as "wire") + 1;
}

/** The folder of a file inside its floor; "." for the floor's own folder. */
const roomOf = (file: string) => /^src\/[^/]+\/([^/]+)\//.exec(file)?.[1] ?? ".";

/** The place of a file's folder in the order of its floor, 0 where the floor has no order. */
function roomLevelOf(file: string): number {
  const rooms = roomsOfFloor[floors[floorOf(file) - 1] ?? ""];
  return rooms === undefined ? 0 : rooms.findIndex((group) => group.includes(roomOf(file)));
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
  platform: [],
  config: ["valibot", "toml-eslint-parser", "jsonc-parser", "yaml"],
  http: ["tough-cookie"],
  oauth: ["oauth4webapi", "valibot"],
  upstream: [],
  relay: [],
  cli: ["citty", "@clack/prompts", "consola/core"],
  commands: ["@clack/prompts", "toml-eslint-parser"],
};

describe("the floors", () => {
  test.each(houseFiles)("%s imports from its own floor or a lower one", (file) => {
    const above = neighboursOf(file).filter((other) => floorOf(other) > floorOf(file));
    expect(above).toEqual([]);
  });

  test.each(houseFiles)("%s stands on a floor and in a folder that has its place", (file) => {
    expect(floorOf(file)).toBeGreaterThan(0);
    expect(roomLevelOf(file)).toBeGreaterThanOrEqual(0);
  });

  test.each(houseFiles)("%s imports from its own folder or a lower one of its floor", (file) => {
    const hasRooms = roomsOfFloor[floors[floorOf(file) - 1] ?? ""] !== undefined;
    const wrong = neighboursOf(file)
      .filter((other) => floorOf(other) === floorOf(file) && roomOf(other) !== roomOf(file))
      .filter((other) => roomLevelOf(other) >= roomLevelOf(file));
    expect(hasRooms ? wrong : []).toEqual([]);
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

describe("CONTRIBUTING.md", () => {
  test("names files and folders that exist", async () => {
    const text = await Bun.file(join(root, "CONTRIBUTING.md")).text();
    const named = [...text.matchAll(/`((?:src|tests|scripts)\/[\w./-]+)`/g)].map(
      ([, path]) => path!,
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe("the rules of the house", () => {
  test("fetch( is called in src/http/client.ts alone, once", () => {
    const places = houseFiles.flatMap((file) =>
      [...withoutComments(sources.get(file)!).matchAll(/(?<![\w.#]|async )fetch\(/g)].map(
        () => file,
      ),
    );
    expect(places).toEqual(["src/http/client.ts"]);
  });

  test("processes are started in src/platform/exec.ts alone", () => {
    const starts = /\bspawn(Sync)?\(|\bexec(File)?(Sync)?\(|\bfork\(|child_process|Bun\.\$/;
    const places = houseFiles.filter((file) =>
      starts.test(withoutComments(sources.get(file)!).replaceAll(".exec(", "")),
    );
    expect(places).toEqual(["src/platform/exec.ts"]);
  });

  test("a command of ours in a hint is written by commandLine(), which knows --config-path", () => {
    // The name with a word behind it; help and version need no configuration.
    const byHand = /(?:codex-mcp-http-bridge|program\.name\}) (?!\$\{program\.version)[^\n]*/g;
    const places = houseFiles.flatMap((file) =>
      [...withoutComments(sources.get(file)!).matchAll(byHand)]
        .map(([text]) => `${file}: ${text}`)
        .filter((place) => !place.includes("--help")),
    );
    expect(places).toEqual([
      // What the demo does, the name of its server, and the wizard's title are no commands to copy.
      "src/commands/demo/demo.ts: program.name} run --server demo\\n\\n` +",
      "src/commands/demo/server.ts: program.name} demo`, version: program.version },",
      "src/commands/setup/wizard.ts: program.name} setup`;",
      "src/wire/program-facts.ts: program.name} ${words}${option}`;",
    ]);
  });

  test("no text is made of a hint that may still need commandLine()", () => {
    const places = houseFiles.filter((file) => /\$\{[^}]*\.hint\b/.test(sources.get(file)!));
    expect(places).toEqual([]);
  });

  test("only the commands, cli and the log print", () => {
    const printing = houseFiles.filter(
      (file) =>
        /\bconsole\./.test(sources.get(file)!) &&
        floorOf(file) < floors.indexOf("cli") + 1 &&
        file !== "src/platform/log.ts",
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
