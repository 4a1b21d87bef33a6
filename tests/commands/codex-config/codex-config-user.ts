import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../../src/cli/command.ts";
import { marksOf } from "../../../src/cli/terminal.ts";
import { command } from "../../../src/commands/codex-config/codex-config.ts";
import { homeOf } from "../../../src/platform/paths.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { commandLineFor } from "../../../src/wire/program-facts.ts";
import { memoryLog } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";

const folders: Disposable[] = [];
/** Removes what the users of a test had. */
export function removeUsers(): void {
  for (const folder of folders.splice(0)) folder[Symbol.dispose]();
}

/** Any executable that is everywhere: what is written tells the bridge by its words. */
export const bridge = "/bin/sh";
const none = {
  ...{ server: [] as string[], write: false, remove: false, "dry-run": false, native: false },
  replace: false,
  ...{ required: false, command: bridge as string | undefined },
  combined: undefined as string | undefined,
  "log-file": undefined as string | undefined,
};

interface Said {
  readonly code: number | undefined;
  readonly out: string;
  readonly notes: readonly string[];
}

/** A user with the servers `kb` and `crm`, and this config.toml. */
export function user(config?: string) {
  const folder = ownFolder();
  folders.push(folder);
  const home = folder.path;
  mkdirSync(join(home, ".codex-mcp-bridge"), { mode: 0o700 });
  const url = "https://kb.example/mcp";
  const servers = { kb: { url, tokenEnv: "KB_TOKEN" }, crm: { url } };
  const configJson = join(home, ".codex-mcp-bridge/config.json");
  writeFileSync(configJson, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const file = join(home, ".codex/config.toml");
  mkdirSync(join(home, ".codex"));
  if (config !== undefined) writeFileSync(file, config);
  const env: Record<string, string> = { HOME: home, PATH: join(home, "bin") };
  const run = async (options: Partial<typeof none>, configPath?: string): Promise<Said> => {
    let out = "";
    const notes: string[] = [];
    const context: Context = {
      ...{
        commands: {},
        env,
        log: memoryLog(),
        redactor: new Redactor(),
        configPath,
        commandLine: commandLineFor(configPath),
        self: [],
      },
      marks: marksOf(env),
      paths: () => homeOf(env, configPath),
      print: async (text) => {
        out += text;
        return true;
      },
      note: (line) => void notes.push(line),
      warn: (line) => void notes.push(`warning: ${line}`),
    };
    const code = await command.run({ ...none, ...options }, context);
    return { code, out, notes };
  };
  const refused = async (options: Partial<typeof none>): Promise<BridgeError> => {
    const error = await run(options).catch((thrown) => thrown);
    if (error instanceof BridgeError) return error;
    throw new Error("nothing was refused");
  };
  return { home, file, env, run, refused, text: () => readFileSync(file, "utf8"), configJson };
}
