import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";

const root = join(import.meta.dir, "../..");
const bun = join(process.execPath, "..");
let folder: ReturnType<typeof ownFolder>;
beforeAll(() => {
  folder = ownFolder();
});
afterAll(() => folder[Symbol.dispose]());

/** A copy of the source in a folder of its own, without git. */
function copyOfSource(name: string): string {
  const copy = join(folder.path, name);
  mkdirSync(join(copy, "dist"), { recursive: true });
  for (const part of ["bridge.ts", "src", "scripts", "build.sh", "package.json", "LICENSE"])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  // Its time, too: a lock that looks newer than node_modules is installed anew, through the link.
  cpSync(join(root, "package-lock.json"), join(copy, "package-lock.json"), {
    preserveTimestamps: true,
  });
  cpSync(join(root, "tsconfig.json"), join(copy, "tsconfig.json"));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

async function build(copy: string, words: string[], env: Record<string, string> = {}) {
  await using child = Bun.spawn(["sh", "build.sh", ...words], {
    cwd: copy,
    env: { PATH: `${bun}:${process.env.PATH}`, HOME: process.env.HOME ?? "/", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

const sumOf = (copy: string) => readFileSync(join(copy, "dist/SHA256SUMS"), "utf8").slice(0, 64);

describe("build.sh", () => {
  test("makes the same file of the same source and commit, in any folder", async () => {
    const [one, two] = [copyOfSource("one"), copyOfSource("two")];
    const releases = "https://get.example/bridge";
    const first = await build(one, [], {
      SOURCE_COMMIT: "abc123",
      CODEX_MCP_BRIDGE_RELEASES: releases,
    });
    expect(first.stdout).toContain("its demo passes");
    expect(first.code).toBe(0);
    await build(two, [], { SOURCE_COMMIT: "abc123", TZ: "Asia/Tokyo", HOME: folder.path });
    expect(sumOf(two)).toBe(sumOf(one));
    const version = Bun.spawnSync([join(one, "dist/codex-mcp-http-bridge"), "--version", "--json"]);
    expect(JSON.parse(version.stdout.toString())).toMatchObject({
      commit: "abc123",
      build: "clean",
    });
    const installer = readFileSync(join(one, "dist/install.sh"), "utf8");
    expect(installer).toContain(`\nreleases=\${CODEX_MCP_BRIDGE_RELEASES:-${releases}}\n`);
    const licenses = readFileSync(join(one, "dist/THIRD-PARTY-LICENSES"), "utf8");
    expect(readFileSync(join(two, "dist/THIRD-PARTY-LICENSES"), "utf8")).toBe(licenses);
    const own = readFileSync(join(one, "dist/LICENSE"), "utf8");
    expect(own).toBe(readFileSync(join(root, "LICENSE"), "utf8"));
    const printed = Bun.spawnSync([join(one, "dist/codex-mcp-http-bridge"), "licenses"]);
    expect(printed.stdout.toString()).toBe(`${own}\n${licenses}`);
    const unknown = await build(two, []);
    expect(unknown.stdout).toContain("(commit unknown)");
  }, 60_000);

  test.each([
    ["src/commands/run/early/early-answer.ts", "citty", "answered by the catalog"],
    ["src/commands/run/run.ts", "citty", "at its first start"],
    ["src/oauth/authorizer/select.ts", "oauth4webapi", "at its first start"],
    ["src/oauth/store/store.ts", "oauth4webapi", "signed in by OAuth"],
  ])(
    "fails where %s loads %s before the first answer",
    async (file, name, start) => {
      const copy = copyOfSource(`with ${name} in ${file.replaceAll("/", " ")}`);
      const source = readFileSync(join(copy, file), "utf8");
      const imported = `import * as all from "${name}";\nexport const names = Object.keys(all);\n`;
      writeFileSync(join(copy, file), imported + source);
      const { code, stderr } = await build(copy, []);
      expect(stderr).toContain(`error: run, ${start}, loads ${name}\n`);
      expect(code).toBe(1);
    },
    60_000,
  );

  test("collects the licences of Bun and of the packages in the executable, and of no other", async () => {
    const copy = copyOfSource("licences");
    expect((await build(copy, [])).code).toBe(0);
    const text = readFileSync(join(copy, "dist/THIRD-PARTY-LICENSES"), "utf8");
    const named = [...text.matchAll(/^={80}\n(\S+) \S+ ?[(,]/gm)].map(([, name]) => name!);
    const { dependencies, devDependencies } = await Bun.file(join(root, "package.json")).json();
    const imported = (name: string) =>
      [...new Bun.Glob("src/**/*.ts").scanSync(root)].some((file) =>
        readFileSync(join(root, file), "utf8").includes(`"${name}`),
      );
    expect(named).toEqual(
      expect.arrayContaining(["Bun", ...Object.keys(dependencies).filter(imported)]),
    );
    expect(named.filter((name) => name in devDependencies)).toEqual([]);
    for (const word of ["JavaScriptCore", "LGPL", "relink", "boringssl", "sqlite"])
      expect(text).toContain(word);
  }, 60_000);

  test("fails where a package in the executable ships no licence text", async () => {
    const copy = copyOfSource("unlicensed");
    rmSync(join(copy, "node_modules"));
    mkdirSync(join(copy, "node_modules"));
    for (const name of readdirSync(join(root, "node_modules")).filter((name) => name !== "citty"))
      symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name));
    cpSync(join(root, "node_modules/citty"), join(copy, "node_modules/citty"), { recursive: true });
    rmSync(join(copy, "node_modules/citty/LICENSE"));
    cpSync(join(root, "package-lock.json"), join(copy, "node_modules/.bridge-lock"));
    const { code, stderr } = await build(copy, []);
    expect(stderr).toContain("ships no licence text");
    expect(code).toBe(1);
  }, 60_000);

  test.each([
    ["http://get.example/", "is not an https address"],
    ["https://get.example/$(id)", "holds an odd character"],
  ])("refuses %j as the address of its releases", async (address, said) => {
    const { code, stderr } = await build(root, [], { CODEX_MCP_BRIDGE_RELEASES: address });
    expect(stderr).toContain(said);
    expect(code).toBe(2);
  });

  test.each([
    [["--taget", "x"], 'error: unknown option "--taget"'],
    [["--target", "linux-riscv"], 'error: unknown platform "linux-riscv"\nhint: one of: linux-x64'],
    [["--target"], "error: the option --target needs a value"],
    [["--runtime", "nowhere"], 'error: there is no file "nowhere"'],
  ])("refuses %j", async (words, said) => {
    const { code, stderr } = await build(root, words);
    expect(stderr).toStartWith(said);
    expect(code).toBe(2);
  });

  test("refuses a commit that would not fit into the source", async () => {
    const { code, stderr } = await build(root, [], { SOURCE_COMMIT: 'a"b' });
    expect(stderr).toStartWith("error: SOURCE_COMMIT is not a commit");
    expect(code).toBe(2);
  });
});
