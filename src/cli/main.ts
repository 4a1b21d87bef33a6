import { loadMachinePolicy } from "../config/machine-policy.ts";
import { createLog, parseLevel } from "../platform/log.ts";
import { resolve } from "../platform/path.ts";
import { type Environment, homeOf } from "../platform/paths.ts";
import { Redactor } from "../platform/redact.ts";
import { runId } from "../platform/run-id.ts";
import { asBridgeError, BridgeError, type CommandLine } from "../wire/errors.ts";
import { commandLineFor, program } from "../wire/program-facts.ts";
import { commandAt, readArguments, unknownCommand } from "./arguments.ts";
import {
  type Command,
  type Commands,
  type Context,
  type Entry,
  type globalArguments,
  type Values,
  withGlobalArguments,
  withoutCommandArguments,
} from "./command.ts";
import { dropInWords } from "./drop-in-words.ts";
import { commandHelp, programHelp } from "./help.ts";
import { marksOf } from "./terminal.ts";
import type { TerminalOutput } from "./terminal-output.ts";
import { versionText } from "./version.ts";

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
  const table = withGlobalArguments(command.args);
  if (asksForHelp(words)) {
    await print(await commandHelp(name, entry, command));
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
    const file = Object.hasOwn(command.args, "log-file") ? undefined : values["log-file"];
    const context = contextOf(
      { ...values, "log-file": file },
      outside,
      terminalOutput,
      commandLine,
      run,
    );
    await loadMachinePolicy();
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
  const logFile = file === undefined ? undefined : resolve(file);
  return {
    commands,
    env,
    redactor,
    log: createLog({
      level: levelOf(values["log-level"], env.LOG_LEVEL, terminalOutput),
      format: values["log-format"] ?? "text",
      redactor,
      ...(logFile !== undefined && { file: logFile }),
      ...(run !== undefined && { run }),
    }),
    paths: () => homeOf(env, values["config-path"]),
    configPath: values["config-path"],
    logFile,
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
  if (asksForHelp(words)) {
    await print(await programHelp(commands));
    return 0;
  }
  const { version, json } = readArguments(program.name, withoutCommandArguments, words);
  if (!version) {
    console.warn((await programHelp(commands)).trimEnd());
    throw new BridgeError("usage", "no command was given");
  }
  await print(versionText(json));
  return 0;
}

async function print(text: string): Promise<boolean> {
  const writer = Bun.stdout.writer();
  try {
    // A long text is written at once: then the promise of write() rejects, and flush() succeeds.
    await writer.write(text);
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
