import { expect, test } from "bun:test";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";

const root = join(import.meta.dir, "../..");
const holds = 'import { test } from "bun:test"; test("it holds", () => {});';
const fails =
  'import { test } from "bun:test"; test("it fails", () => { throw new Error("no"); });';
const broken = `import "./nothing.ts"; ${holds}`;
const ends = "process.exit(0);";

/** The exit code of the soak in a copy with two tests: a long form and a fault. */
async function soakWith(long: string, faults: string): Promise<number> {
  using tree = ownFolder();
  mkdirSync(join(tree.path, "scripts"));
  for (const script of ["scripts/test-soak.sh", "scripts/prepare.sh"])
    cpSync(join(root, script), join(tree.path, script));
  // The real script would install packages, and this copy has no lock.
  writeFileSync(join(tree.path, "scripts/bun.sh"), `echo '${process.execPath}'\n`);
  for (const [name, text] of [
    ["torture", long],
    ["fault", faults],
  ] as const) {
    mkdirSync(join(tree.path, "tests", name), { recursive: true });
    writeFileSync(join(tree.path, "tests", name, "one.test.ts"), text);
  }
  await using child = Bun.spawn(["sh", "scripts/test-soak.sh"], {
    cwd: tree.path,
    env: { PATH: process.env.PATH ?? "", BRIDGE_BIN: "/bin/true", SOAK_ROUNDS: "2" },
    stdio: ["ignore", "ignore", "ignore"],
  });
  return await child.exited;
}

test.each<[string, string, string, boolean]>([
  ["all hold", holds, holds, true],
  ["a fault is not held", holds, fails, false],
  ["the faults cannot be loaded", holds, broken, false],
  ["the faults end the run", holds, ends, false],
  ["a long form fails", fails, holds, false],
  ["the long forms cannot be loaded", broken, holds, false],
  ["the long forms end the run", ends, holds, false],
])(
  "the soak, where %s, is judged rightly",
  async (_, long, faults, passes) => {
    expect((await soakWith(long, faults)) === 0).toBe(passes);
  },
  60_000,
);
