import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiledBridge } from "../support/binary.ts";
import { runProgram } from "../support/program.ts";
import { Session } from "../support/terminal.ts";

let home: string;
let env: Record<string, string>;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "completions-"));
  mkdirSync(join(home, "bin"));
  symlinkSync(compiledBridge(), join(home, "bin/codex-mcp-http-bridge"));
  env = { HOME: home, PATH: `${join(home, "bin")}:/usr/bin:/bin`, PS1: "$ " };
  const servers = { knowledge: { url: "https://kb.example.com/mcp" } };
  mkdirSync(join(home, ".codex-mcp-bridge"), { mode: 0o700 });
  const config = join(home, ".codex-mcp-bridge/config.json");
  writeFileSync(config, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  for (const [shell, file] of [
    ["bash", "bash.sh"],
    ["zsh", "_codex-mcp-http-bridge"],
    ["fish", "bridge.fish"],
  ] as const) {
    const { code, stdout } = await runProgram(["completions", shell], { env });
    expect(code).toBe(0);
    writeFileSync(join(home, file), stdout);
  }
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

const shells = {
  bash: { program: ["bash", "--norc", "--noprofile", "-i"], start: "source ~/bash.sh" },
  zsh: {
    program: ["zsh", "-f", "-i"],
    start: "fpath=(~ $fpath); autoload -Uz compinit; compinit -u -D",
  },
  fish: { program: ["fish", "--private", "-i"], start: "source ~/bridge.fish" },
} as const;

test.each([
  ["bash", "codex-mcp-http-bridge codex-c", "codex-config"],
  ["bash", "codex-mcp-http-bridge run --server kno", "knowledge"],
  ["bash", "codex-mcp-http-bridge run --sign-in=bro", "--sign-in=browser"],
  ["bash", "codex-mcp-http-bridge status --config-path ~/.codex-mcp-bridge/conf", "config.json"],
  ["zsh", "codex-mcp-http-bridge codex-c", "codex-config"],
  ["zsh", "codex-mcp-http-bridge run --server kno", "knowledge"],
  ["zsh", "codex-mcp-http-bridge run --sign-in=bro", "--sign-in=browser"],
  ["zsh", "codex-mcp-http-bridge status --config-path ~/.codex-mcp-bridge/conf", "ig.json"],
  ["fish", "codex-mcp-http-bridge codex-c", "codex-config"],
  ["fish", "codex-mcp-http-bridge run --server kno", "knowledge"],
  ["fish", "codex-mcp-http-bridge run --sign-in=bro", "--sign-in=browser"],
  ["fish", "codex-mcp-http-bridge status --config-path ~/.codex-mcp-bridge/conf", "config.json"],
] as const)("in %s, Tab after %j shows %s", async (shell, line, expected) => {
  const { program, start } = shells[shell];
  await using session = new Session([], env, { program, cwd: home });
  session.type(`${start}; echo re''ady\r`);
  await session.sees("ready");
  session.type(`${line}\t`);
  await session.sees(expected);
});
