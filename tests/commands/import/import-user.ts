import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readArguments } from "../../../src/cli/arguments.ts";
import type { Command, Context } from "../../../src/cli/command.ts";
import { marksOf } from "../../../src/cli/terminal.ts";
import { homeOf } from "../../../src/platform/paths.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { commandLineFor } from "../../../src/wire/program-facts.ts";
import { memoryLog } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";

const folders: Disposable[] = [];
/** Removes the homes that user() made. */
export function removeUsers(): void {
  for (const folder of folders.splice(0)) folder[Symbol.dispose]();
}

/** Stands in for the bridge's executable, which these tests never start; exists on every system. */
export const bridge = "/bin/sh";

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly notes: readonly string[];
}

/** A temporary home, with config.json if `servers` is given, and functions that run commands in it. */
export function user(servers?: object) {
  const folder = ownFolder();
  folders.push(folder);
  const home = folder.path;
  const env: Record<string, string> = { HOME: home, PATH: "/usr/bin:/bin" };
  const path = (name: string) => join(home, name);
  /** Writes a file; `name` is relative to the home. */
  const put = (name: string, text: string) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text, { mode: 0o600 });
    return path(name);
  };
  if (servers !== undefined) {
    mkdirSync(path(".codex-mcp-bridge"), { mode: 0o700 });
    put(".codex-mcp-bridge/config.json", JSON.stringify({ version: 1, servers }));
  }
  let onPrint = (_text: string) => {};
  // biome-ignore lint/suspicious/noExplicitAny: accepts commands with any argument table
  const run = async (command: Command<any>, ...words: string[]): Promise<CommandResult> => {
    let out = "";
    const notes: string[] = [];
    const context: Context = {
      ...{
        env,
        log: memoryLog(),
        redactor: new Redactor(),
        configPath: undefined,
        self: [],
        commands: {},
      },
      marks: marksOf(env),
      paths: () => homeOf(env),
      commandLine: commandLineFor(undefined),
      print: async (text) => {
        out += text;
        onPrint(text);
        return true;
      },
      note: (line) => void notes.push(line),
      warn: (line) => void notes.push(`warning: ${line}`),
    };
    const code = (await command.run(readArguments("command", command.args, words), context)) ?? 0;
    return { code, out, notes };
  };
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const refused = async (command: Command<any>, ...words: string[]): Promise<BridgeError> => {
    const error = await run(command, ...words).catch((thrown) => thrown);
    if (error instanceof BridgeError) return error;
    throw new Error("nothing was refused");
  };
  const atPrint = (part: string, act: () => void) => {
    onPrint = (text) => {
      if (!text.includes(part)) return;
      onPrint = () => {};
      act();
    };
  };
  return {
    home,
    env,
    put,
    run,
    refused,
    /** Does something once, when a command prints for the first time: import then has its plan, and has saved nothing. */
    atFirstPrint: (act: () => void) => atPrint("", act),
    /** Does something once, when a command prints a text that contains `part`. */
    atPrint,
    text: (name: string) => readFileSync(path(name), "utf8"),
    servers: () =>
      JSON.parse(readFileSync(path(".codex-mcp-bridge/config.json"), "utf8")).servers ?? {},
  };
}
