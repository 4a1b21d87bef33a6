import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { programOnPath, runCommand } from "../../platform/exec.ts";
import { type Environment, userHome } from "../../platform/paths.ts";
import type { Redactor } from "../../platform/redact.ts";
import { withTempFolder } from "../../platform/temp-folder.ts";

/** Codex's own configuration: `$CODEX_HOME/config.toml`, else `~/.codex/config.toml`. Throws `configuration`. */
export function codexConfigFile(env: Environment): string {
  const named = env.CODEX_HOME;
  const home = named === undefined || named === "" ? join(userHome(env), ".codex") : named;
  return join(resolve(home), "config.toml");
}

export interface CodexRun {
  readonly env: Environment;
  readonly redactor: Redactor;
}

/** Path of the Codex CLI, looked up in the absolute folders of PATH; undefined if it is not there. */
export function findCodex(env: Environment): string | undefined {
  return programOnPath("codex", env.PATH);
}

/**
 * Runs `codex mcp get NAME` in a temporary home whose config.toml is `text`; resolves to its JSON. Throws `configuration`
 * with Codex's own message.
 */
export async function askCodex(
  codex: string,
  text: string,
  name: string,
  run: CodexRun,
): Promise<unknown> {
  const json = await runCodex(codex, text, ["mcp", "get", name, "--json"], run);
  return JSON.parse(json);
}

/** Whether this Codex runs and knows `mcp get`. */
export async function canAskCodex(codex: string, run: CodexRun): Promise<boolean> {
  const probe = '[mcp_servers.probe]\ncommand = "probe"\n';
  try {
    await askCodex(codex, probe, "probe", run);
    return true;
  } catch {
    return false;
  }
}

/** Whether Codex reads a configuration text without an error, in a temporary home. */
export function canReadText(codex: string, text: string, run: CodexRun): Promise<boolean> {
  return runCodex(codex, text, ["mcp", "list", "--json"], run).then(
    () => true,
    () => false,
  );
}

/** Lets Codex read the user's config.toml in the user's own home. Throws `configuration` with Codex's own message. */
export async function readInPlace(codex: string, run: CodexRun): Promise<void> {
  const codexHome = dirname(codexConfigFile(run.env));
  await runIn(run.env.HOME ?? codexHome, codexHome, [codex, "mcp", "list", "--json"], run);
}

function runCodex(
  codex: string,
  text: string,
  args: readonly string[],
  run: CodexRun,
): Promise<string> {
  return withTempFolder((home) => {
    writeFileSync(join(home, "config.toml"), text, { mode: 0o600, flag: "wx" });
    return runIn(home, home, [codex, ...args], run);
  });
}

function runIn(
  home: string,
  codexHome: string,
  argv: readonly string[],
  { env, redactor }: CodexRun,
): Promise<string> {
  return runCommand({
    what: "codex mcp",
    argv,
    home,
    env: { PATH: env.PATH, LANG: env.LANG, HOME: home, CODEX_HOME: codexHome },
    redactor,
    signal: new AbortController().signal,
  });
}
