import { createLog, parseLevel } from "../platform/log.ts";
import { resolve } from "../platform/path.ts";
import { type Environment, homeOf } from "../platform/paths.ts";
import { Redactor } from "../platform/redact.ts";
import { runId } from "../platform/run-id.ts";
import { asBridgeError, BridgeError, type CommandLine } from "../wire/errors.ts";
import { nearest } from "../wire/nearest-name.ts";
import { commandLineFor, program, protocolRevisions } from "../wire/program-facts.ts";
import { cleanText } from "../wire/text.ts";
import { commandAt, readArguments } from "./arguments.ts";
import {
  type Arguments,
  type Command,
  type Commands,
  type Context,
  type Entry,
  globalArguments,
  type Values,
} from "./command.ts";
import { dropInWords } from "./drop-in-words.ts";
import { helpText } from "./help.ts";
import { marksOf } from "./terminal.ts";
import type { TerminalOutput } from "./terminal-output.ts";

/** Runs the command that the command line names; resolves to the exit code and never rejects. */
export async function main(
  commands: Commands,
  words: readonly string[],
  env: Environment,
): Promise<number> {
  const outside = { env, redactor: new Redactor(), commands };
  // Without these handlers Bun prints source lines and every property of the error.
  for (const event of ["uncaughtException", "unhandledRejection"])
    process.on(event, (error) => process.exit(report(asBridgeError(error), outside)));
  try {
    const dropIn = dropInWords(process.argv0, words, commands);
    const { run } = commands;
    if (dropIn !== undefined && run?.loadDropIn !== undefined) {
      const { command, words: own } = await run.loadDropIn(dropIn);
      return await runCommand("run", run, command, own, outside);
    }
    const at = commandAt(words);
    if (at < 0) return await withoutCommand(commands, words);
    const name = words[at]!;
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined) throw unknownCommand(commands, name);
    const { command } = await entry.load();
    return await runCommand(name, entry, command, words.toSpliced(at, 1), outside);
  } catch (error) {
    return report(asBridgeError(error), outside, await commandTerminalOutput(env));
  }
}

/** What main() got from the process, and the redactor of its output. */
interface Outside {
  readonly commands: Commands;
  readonly env: Environment;
  readonly redactor: Redactor;
}

async function runCommand(
  name: string,
  entry: Entry,
  command: Command,
  words: readonly string[],
  outside: Outside,
): Promise<number> {
  const table = { ...command.args, ...globalArguments } satisfies Arguments;
  if (asksForHelp(words)) {
    await print(await helpOf(name, entry, table));
    return 0;
  }
  const terminalOutput =
    command.refuse === undefined ? await commandTerminalOutput(outside.env) : plainTerminalOutput;
  let commandLine = commandLineFor(undefined);
  try {
    const values = readArguments(name, table, words);
    commandLine = commandLineFor(values["config-path"]);
    // `run` is the only command that refuses in its own way.
    const run = command.refuse === undefined ? undefined : runId();
    const context = contextOf(values, outside, terminalOutput, commandLine, run);
    // `run` forbids core dumps itself, after its first answer.
    if (run === undefined) (await import("../platform/core-dumps.ts")).forbidCoreDumps(context.log);
    return (await command.run(values, context)) ?? 0;
  } catch (error) {
    const failure = asBridgeError(error);
    const code = await command.refuse?.(failure, commandLine, words);
    return code ?? report(failure, outside, terminalOutput, commandLine);
  }
}

/** Whether `--help` stands before a bare `--`. Then help is shown even if other words are wrong. */
function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end < 0 ? words.length : end).some((w) => w === "--help" || w === "-h");
}

/** Output that needs no further module: for `run` until it serves a client, and for uncaught errors. */
const plainTerminalOutput: TerminalOutput = {
  note: (line) => console.warn(line),
  warn: (line) => console.warn(`warning: ${line}`),
  failure(message, hint) {
    console.warn(`error: ${message}`);
    if (hint !== undefined) console.warn(`hint: ${hint}`);
  },
};

async function commandTerminalOutput(env: Environment): Promise<TerminalOutput> {
  const { createTerminalOutput } = await import("./terminal-output.ts");
  return createTerminalOutput(env);
}

function contextOf(
  values: Values<typeof globalArguments>,
  { commands, env, redactor }: Outside,
  terminalOutput: TerminalOutput,
  commandLine: CommandLine,
  run: string | undefined,
): Context {
  const file = values["log-file"];
  return {
    commands,
    env,
    redactor,
    log: createLog({
      level: levelOf(values["log-level"], env.LOG_LEVEL, terminalOutput),
      format: values["log-format"] ?? "text",
      redactor,
      ...(file !== undefined && { file: resolve(file) }),
      ...(run !== undefined && { run }),
    }),
    paths: () => homeOf(env, values["config-path"]),
    configPath: values["config-path"],
    commandLine,
    self: program.target === undefined ? [process.execPath, Bun.main] : [process.execPath],
    print,
    marks: marksOf(env),
    note: terminalOutput.note,
    warn: terminalOutput.warn,
  };
}

function levelOf(
  option: string | undefined,
  variable: string | undefined,
  { warn }: TerminalOutput,
) {
  if (option !== undefined) {
    const level = parseLevel(option);
    if (level !== undefined) return level;
    throw new BridgeError("usage", "--log-level is one of error, warn, info, debug, trace", {
      hint: `see ${program.name} --help`,
    });
  }
  const level = variable ? parseLevel(variable) : "info";
  if (level !== undefined) return level;
  warn("LOG_LEVEL is not one of error, warn, info, debug, trace; info is used");
  return "info";
}

async function withoutCommand(commands: Commands, words: readonly string[]): Promise<number> {
  const table = {
    version: {
      type: "boolean",
      alias: "V",
      description: "show the version",
    },
    json: {
      type: "boolean",
      description: "with --version: show version, target and commit as JSON",
    },
    ...globalArguments,
  } as const satisfies Arguments;
  if (asksForHelp(words)) {
    await print(await rootHelp(commands, table));
    return 0;
  }
  const { version, json } = readArguments(program.name, table, words);
  if (!version) {
    console.warn((await rootHelp(commands, table)).trimEnd());
    throw new BridgeError("usage", "no command was given");
  }
  await print(
    json ? `${JSON.stringify(versionFacts())}\n` : `${program.name} ${program.version}\n`,
  );
  return 0;
}

function versionFacts() {
  return {
    version: program.version,
    bun: Bun.version,
    target: program.target ?? "source",
    commit: program.commit,
    build: program.build,
    protocolRevisions,
  };
}

function unknownCommand(commands: Commands, name: string): BridgeError {
  const near = nearest(name, Object.keys(commands));
  const help = `${program.name} --help`;
  const hint = near.length === 0 ? `see ${help}` : `did you mean ${near.join(" or ")}? See ${help}`;
  const word = name.length > 30 ? "" : ` "${cleanText(name)}"`;
  return new BridgeError("usage", `unknown command${word}`, { hint });
}

async function helpOf(name: string, { does }: Entry, args: Arguments): Promise<string> {
  return helpText({ meta: { name, description: does }, args }, { meta: { name: program.name } });
}

async function rootHelp(commands: Commands, args: Arguments): Promise<string> {
  const rows = Object.entries(commands).map(([name, { does }]) => [
    name,
    { meta: { name, description: does } },
  ]);
  const { name, version } = program;
  const description = "Lets Codex, or any MCP client that speaks stdio, use remote MCP servers";
  return helpText({
    meta: { name, version, description },
    args,
    subCommands: Object.fromEntries(rows),
  });
}

async function print(text: string): Promise<boolean> {
  const writer = Bun.stdout.writer();
  try {
    writer.write(text);
    await writer.flush();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A reader such as `head` closes the pipe early; this is no failure.
    if (code === "EPIPE") return false;
    const why = code === "ENOSPC" ? "the disk is full" : code;
    throw new BridgeError("configuration", `stdout cannot be written to (${why})`, {
      hint: "make room there, or write elsewhere",
      cause: error,
    });
  }
}

/** Shows an error on stderr; resolves to its exit code. */
function report(
  error: BridgeError,
  { redactor }: Outside,
  { failure }: TerminalOutput = plainTerminalOutput,
  commandLine = commandLineFor(undefined),
): number {
  const hint = error.hintText(commandLine);
  failure(redactor.shown(error.message), hint && redactor.shown(hint));
  return error.exitCode;
}
