import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { programWords } from "../support/program.ts";
import { commands, type Kind, kinds, type Tortured } from "./commands.ts";
import { codexBefore, startWorld } from "./world.ts";

/** The number of calls of a command that fail, one in each run; all of them in the long form. */
const most = Number(process.env.TORTURE_MOST ?? 4);

let world: Awaited<ReturnType<typeof startWorld>>;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

interface Outcome extends ReturnType<(typeof world)["left"]> {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: number;
}

async function play(command: Tortured, kind: Kind, at: number): Promise<Outcome> {
  using folder = ownFolder();
  const home = folder.path;
  world.furnish(home, command.isSignedOut === true);
  const count = join(home, "count");
  const child = Bun.spawn([...programWords, ...command.words], {
    env: {
      HOME: home,
      PATH: "/usr/bin:/bin",
      BUN_OPTIONS: `--preload=${join(import.meta.dir, "inject.ts")}`,
      TORTURE: kind,
      TORTURE_AT: String(at),
      TORTURE_COUNT: count,
      TORTURE_VICTIM: command.victim ?? command.words[0]!,
    },
    cwd: home,
    stdin: new Blob([command.stdin?.(world.encrypted) ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  clearTimeout(timer);
  return {
    code: child.signalCode === null ? (child.exitCode ?? undefined) : undefined,
    stdout,
    stderr,
    calls: existsSync(count) ? Number(readFileSync(count, "utf8")) : 0,
    ...world.left(home),
  };
}

/** Faults of an outcome, for every failing call. */
function judge(command: Tortured, kind: Kind, outcome: Outcome, calm: Outcome): string[] {
  const wrong: string[] = [];
  const { code, config, codex, stdout, stderr } = outcome;
  if (code === undefined) wrong.push("it hung and had to be killed");
  if (config !== world.configBefore && config !== calm.config)
    wrong.push(`configuration: ${config}`);
  if (codex !== codexBefore && codex !== calm.codex) wrong.push(`config.toml: ${codex}`);
  if (/^\s+at .*:\d+:\d+/m.test(stderr)) wrong.push(`a stack: ${stderr}`);
  const shown = command.name === "headers" ? stderr : stdout + stderr;
  if (world.secrets.some((secret) => shown.includes(secret))) wrong.push("a secret was shown");
  return [
    ...wrong,
    ...grantProblems(command, outcome, calm),
    ...answerProblems(command, kind, stdout),
  ];
}

/** A sign-in is stored whole, or removed by the command. */
function grantProblems({ isSignedOut }: Tortured, { grants }: Outcome, calm: Outcome): string[] {
  return [...grants].flatMap(([name, grant]) => {
    if (grant !== undefined) return isJson(grant) ? [] : [`the sign-in to ${name}: ${grant}`];
    const mayBeGone = isSignedOut === true || calm.grants.get(name) === undefined;
    return mayBeGone ? [] : [`the sign-in to ${name} is lost`];
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Each request of a client gets one answer, or none if stdout fails. */
function answerProblems({ ids }: Tortured, kind: Kind, stdout: string): string[] {
  if (ids === undefined) return [];
  const lines = stdout.split("\n").slice(0, -1);
  const answered = lines.map((text) => JSON.parse(text).id).sort();
  const isRight =
    kind === "stdout"
      ? new Set(answered).size === answered.length
      : Bun.deepEquals(answered, [...ids]);
  return isRight ? [] : [`answers: ${answered}`];
}

/** Up to `most` positions among `calls`, evenly spread. */
function places(calls: number): number[] {
  const count = Math.min(calls, most);
  return Array.from({ length: count }, (_, n) => 1 + Math.floor((n * calls) / count));
}

describe.each([...kinds])("with a failing %s call", (kind) => {
  test.each(commands)(
    "$name ends, keeps what there was and prints no garbage",
    async (command) => {
      const calm = await play(command, kind, 0);
      if (process.env.TORTURE_LOG) console.error(kind, command.name, calm);
      expect(judge(command, kind, calm, calm)).toEqual([]);
      expect({ code: calm.code, stderr: calm.code === 0 ? "" : calm.stderr }).toEqual({
        code: 0,
        stderr: "",
      });
      if (command.ids !== undefined) expect(calm.stdout).not.toContain('"error"');
      const isWithout = command.without?.includes(kind) === true;
      expect(calm.calls > 0).toBe(!isWithout);
      for (const at of places(calm.calls)) {
        const outcome = await play(command, kind, at);
        expect({ at, wrong: judge(command, kind, outcome, calm) }).toEqual({ at, wrong: [] });
      }
    },
    600_000,
  );
});
