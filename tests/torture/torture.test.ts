import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { token } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import { commands, type Tortured } from "./commands.ts";

const root = join(import.meta.dir, "../..");
/** How many of a command's calls fail, one in each run: all of them in the long form. */
const most = Number(process.env.TORTURE_MOST ?? 4);
const kinds = ["fetch", "fs", "stdout"] as const;
const server = new FaultServer({ sessions: true }).start();
afterAll(() => server.stop());

interface Outcome {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: number;
  readonly config: string;
  readonly codex: string | undefined;
}

const machine = {
  type: "oauth",
  grant: "client_credentials",
  clientId: "m",
  clientSecret: token,
};
const configBefore = () =>
  JSON.stringify({
    version: 1,
    servers: {
      x: { url: server.url, token, timeoutSec: 2 },
      m: { url: server.url, auth: machine },
    },
  });
const codexBefore = '# mine\nmodel = "m"\n';

async function play(command: Tortured, kind: string, at: number): Promise<Outcome> {
  const home = mkdtempSync(join(tmpdir(), "bridge-torture-"));
  const file = join(home, ".codex-mcp-bridge/config.json");
  const codexFile = join(home, ".codex/config.toml");
  mkdirSync(join(home, ".codex-mcp-bridge"), { mode: 0o700 });
  mkdirSync(join(home, ".codex"));
  writeFileSync(file, configBefore(), { mode: 0o600 });
  writeFileSync(codexFile, codexBefore);
  const binary = process.env.BRIDGE_BIN;
  const count = join(home, "count");
  const child = Bun.spawn(
    [...(binary ? [binary] : [process.execPath, join(root, "bridge.ts")]), ...command.argv(server)],
    {
      env: {
        HOME: home,
        PATH: "/usr/bin:/bin",
        BUN_OPTIONS: `--preload=${join(import.meta.dir, "inject.ts")}`,
        TORTURE: kind,
        TORTURE_AT: String(at),
        TORTURE_COUNT: count,
      },
      cwd: home,
      stdin: new Blob([command.stdin ?? ""]),
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  clearTimeout(timer);
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
  const outcome = {
    code: child.signalCode === null ? (child.exitCode ?? undefined) : undefined,
    stdout,
    stderr,
    calls: Number(read(count) ?? 0),
    config: read(file) ?? "",
    codex: read(codexFile),
  };
  rmSync(home, { recursive: true, force: true });
  return outcome;
}

/** What is wrong with an outcome, whatever call failed. */
function judge(command: Tortured, outcome: Outcome, calm: Outcome): string[] {
  const wrong: string[] = [];
  if (outcome.code === undefined) wrong.push("it hung and had to be killed");
  const isOld = outcome.config === configBefore();
  if (!isOld && outcome.config !== calm.config) wrong.push(`configuration: ${outcome.config}`);
  if (outcome.codex !== codexBefore && outcome.codex !== calm.codex)
    wrong.push(`config.toml: ${outcome.codex}`);
  if (/^\s+at .*:\d+:\d+/m.test(outcome.stderr)) wrong.push(`a stack: ${outcome.stderr}`);
  if (command.name !== "headers" && (outcome.stdout + outcome.stderr).includes(token))
    wrong.push("the token was shown");
  if (command.isRun !== true) return wrong;
  const lines = outcome.stdout.split("\n").slice(0, -1);
  const ids = lines.map((text) => JSON.parse(text).id);
  if (new Set(ids).size !== ids.length) wrong.push(`answers: ${ids}`);
  return wrong;
}

/** Up to `most` places of `calls`, evenly spread. */
function places(calls: number): number[] {
  const count = Math.min(calls, most);
  return Array.from({ length: count }, (_, n) => 1 + Math.floor((n * calls) / count));
}

describe.each(kinds)("with a failing %s call", (kind) => {
  test.each(commands)(
    "$name ends, keeps the configuration and prints no garbage",
    async (command) => {
      const calm = await play(command, kind, 0);
      expect(judge(command, calm, calm)).toEqual([]);
      if (process.env.TORTURE_LOG) console.error(kind, command.name, calm);
      for (const at of places(calm.calls)) {
        const outcome = await play(command, kind, at);
        expect({ at, wrong: judge(command, outcome, calm) }).toEqual({ at, wrong: [] });
      }
    },
    600_000,
  );
});
