// Removes one defence at a time (table.ts) in a copy of the tree; the test of the row must then fail:
//   npm run mutants [-- NAME...]
// Two run at a time, since tests mostly wait. The last line has the counts.

import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { endOf } from "../support/program.ts";
import { applyEdit, type Mutant, mutants } from "./table.ts";

const root = join(import.meta.dir, "../..");
const atOnce = 2;
/** Files that git tracks or would add: no packages, builds or environments of the suites. */
const listed = Bun.spawnSync(
  ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  {
    cwd: root,
  },
);
const files = listed.stdout
  .toString()
  .split("\0")
  .filter((file) => file !== "" && existsSync(join(root, file)));

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(mutants, name));
if (unknown.length > 0) {
  console.error(`error: no such mutant: ${unknown.join(", ")}`);
  process.exit(2);
}
const chosen = Object.entries(mutants).filter(
  ([name]) => names.length === 0 || names.includes(name),
);
const work = mkdtempSync(join(tmpdir(), "mutants-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(signal, () => process.exit(code));

const env: Record<string, string | undefined> = {
  ...process.env,
  // Tests run the changed source, not an existing executable.
  BRIDGE_BIN: undefined,
  SOURCE_COMMIT: "unknown",
  // One failing call is enough.
  TORTURE_MOST: "1000",
};

interface Outcome {
  readonly passed: boolean;
  readonly output: string;
}

function copyTree(name: string): string {
  const tree = join(work, name);
  for (const file of files) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    cpSync(join(root, file), join(tree, file));
  }
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  return tree;
}

async function runProgram(words: readonly string[], tree: string, more = {}): Promise<Outcome> {
  const child = Bun.spawn([...words], {
    cwd: tree,
    env: { ...env, ...more },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { code, stdout: out, stderr: err } = await endOf(child);
  return { passed: code === 0, output: out + err };
}

/** Runs the test of a row in a tree. A failed build counts as a failed test. */
async function runTest({ test, pattern, needsBuild }: Mutant, tree: string): Promise<Outcome> {
  const more: { BRIDGE_BIN?: string } = {};
  if (needsBuild) {
    const built = await runProgram(["./build.sh"], tree);
    if (!built.passed) return built;
    more.BRIDGE_BIN = join(tree, "dist/codex-mcp-http-bridge");
  }
  const words = [process.execPath, "test", "--bail", "--timeout=120000", test];
  return runProgram([...words, ...(pattern === undefined ? [] : ["-t", pattern])], tree, more);
}

/** Results of the tests without a change, by file and pattern: a test that always fails proves nothing. */
const sane = new Map<string, Promise<Outcome>>();

/** Reports one mutant; true if its test failed because of it. */
async function judge(name: string, mutant: Mutant): Promise<boolean> {
  const say = (word: string, text: string) => {
    console.log(`${word.padEnd(8)} ${name}${text}`);
    return word === "killed";
  };
  const tree = copyTree(name);
  try {
    const key = `${mutant.test} ${mutant.pattern} ${mutant.needsBuild}`;
    if (!sane.has(key)) sane.set(key, runTest(mutant, tree));
    const unchanged = await sane.get(key)!;
    if (!unchanged.passed)
      return say("BROKEN", `: its test fails without it\n${unchanged.output.slice(-4000)}`);
    for (const edit of [mutant, ...(mutant.also ?? [])]) {
      const path = join(tree, edit.file);
      await Bun.write(path, applyEdit(await Bun.file(path).text(), edit));
    }
    const changed = await runTest(mutant, tree);
    return changed.passed ? say("SURVIVED", `: ${mutant.promise}`) : say("killed", "");
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

let killed = 0;
const waiting = [...chosen];
async function takeTurns(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (await judge(...next)) killed++;
  }
}
await Promise.all(Array.from({ length: atOnce }, takeTurns));
console.log(`${killed} mutants killed, ${chosen.length - killed} not`);
process.exit(killed === chosen.length ? 0 : 1);
