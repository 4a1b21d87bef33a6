import type { Log } from "../platform/log.ts";
import type { Environment, Paths } from "../platform/paths.ts";
import type { Redactor } from "../platform/redact.ts";
import type { BridgeError, CommandLine } from "../wire/errors.ts";

import type { Marks } from "./terminal.ts";

/** One row of a command's table of arguments, which the argument reader and `--help` use. */
export interface Argument {
  readonly type: "string" | "boolean" | "enum" | "positional";
  readonly description: string;
  /** The letter of the short option. */
  readonly alias?: string;
  /** The placeholder of the value in the help. */
  readonly valueHint?: string;
  /** The value if the option stands without one. */
  readonly fallback?: string;
  /** The values that an `enum` accepts. */
  readonly options?: readonly string[];
  /** Values beside `options` that only the program's own scripts give: neither help nor errors name them. */
  readonly internalOptions?: readonly string[];
  /** Whether a positional argument is required. */
  readonly required?: boolean;
  /** Whether the argument may be given several times; its value is a list. */
  readonly repeat?: boolean;
  /** The option's value may also stand as a plain word: a URL, or any other word. */
  readonly plain?: "url" | "word";
}

export type Arguments = Readonly<Record<string, Argument>>;

type ValueOf<A extends Argument> = A extends { type: "boolean" }
  ? boolean
  : A extends { repeat: true }
    ? readonly string[]
    : A extends { required: true }
      ? string
      : A extends { type: "enum"; options: readonly (infer Word)[] }
        ? Word | undefined
        : string | undefined;

/** The values of a table's arguments. If not given, a flag is false, a list is empty, any other argument undefined. */
export type Values<T extends Arguments> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** A command in the program's table of commands: its line in the help, and the loader of its module. */
export interface Entry {
  readonly does: string;
  /** The command line after the command's name; without it, as the table of arguments says. */
  readonly usage?: string;
  // biome-ignore lint/suspicious/noExplicitAny: the table holds commands of every table of arguments
  readonly load: () => Promise<{ readonly command: Command<any> }>;
  /** Loads the command for the arguments of mcp-remote, and the words that its table describes. */
  readonly loadDropIn?: (
    words: readonly string[],
    // biome-ignore lint/suspicious/noExplicitAny: as above
  ) => Promise<{ readonly command: Command<any>; readonly words: readonly string[] }>;
}

export type Commands = Readonly<Record<string, Entry>>;

/** Everything that a command reads from the process. */
export interface Context {
  /** The program's table of commands. */
  readonly commands: Commands;
  readonly env: Environment;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Throws `configuration` if the environment names no home. */
  readonly paths: () => Paths;
  /** `--config-path` as given. */
  readonly configPath: string | undefined;
  /** The absolute path of the log file, if one is written. */
  readonly logFile?: string | undefined;
  /** Writes a command of this program for the user to copy, with `--config-path` if it was given to this process. */
  readonly commandLine: CommandLine;
  /** The argv that starts this program again: the executable, and bridge.ts if run from source. */
  readonly self: readonly string[];
  /**
   * Writes a result, with its own line ends, to stdout and waits until it is written. Resolves to false if the reader has
   * closed the pipe. Throws `configuration` if stdout cannot be written to.
   */
  readonly print: (text: string) => Promise<boolean>;
  /** The marks of success and failure, in characters that the terminal can show. */
  readonly marks: Marks;
  /** Writes one line of explanation to stderr. */
  readonly note: (line: string) => void;
  /** Writes one line to stderr, prefixed with `warning: `. */
  readonly warn: (line: string) => void;
}

/** One verb of the program. Failures are thrown as BridgeError; main.ts prints them and sets the exit code. */
export interface Command<T extends Arguments = Arguments> {
  readonly args: T;
  /** The last line of its help. */
  readonly helpEnd?: string;
  /** Resolves to the exit code; undefined means 0. */
  run(values: Values<T>, context: Context): Promise<number | undefined>;
  /**
   * Reports a failure in the command's own way and resolves to the exit code. Resolves to undefined if main.ts is to print
   * `error:` and `hint:` as for any other command. `words`: the command line after the command's name.
   */
  refuse?(
    error: BridgeError,
    commandLine: CommandLine,
    words: readonly string[],
  ): Promise<number | undefined>;
}

/** Infers the types of `run`'s values from the command's own table. */
export function defineCommand<const T extends Arguments>(command: Command<T>): Command<T> {
  return command;
}

/** `--server`, for commands about one server. */
export const serverArgument = {
  type: "string",
  alias: "s",
  valueHint: "NAME",
  plain: "word",
  description: "the server's name in the configuration; may stand as a plain word",
} as const satisfies Argument;

/** `--server`, for commands that take several. */
export const serversArgument = { ...serverArgument, repeat: true } as const satisfies Argument;

/** The options of every command. */
export const globalArguments = {
  "config-path": {
    type: "string",
    alias: "c",
    valueHint: "FILE",
    description: "the configuration file; its folder is the home",
  },
  "log-level": {
    type: "string",
    alias: "l",
    valueHint: "LEVEL",
    description: "error, warn, info (default), debug or trace; also LOG_LEVEL",
  },
  "log-format": { type: "enum", options: ["text", "json"], description: "the format of log lines" },
  "log-file": { type: "string", valueHint: "PATH", description: "write the log to this file, too" },
  help: { type: "boolean", alias: "h", description: "show this help" },
} as const satisfies Arguments;

/** The options of one command and those of every command; a command may give one of these another meaning. */
export function withGlobalArguments<T extends Arguments>(own: T): typeof globalArguments & T {
  return { ...own, ...globalArguments, ...own };
}

/** The options without a command. */
export const withoutCommandArguments = {
  version: { type: "boolean", alias: "V", description: "show the version" },
  json: {
    type: "boolean",
    description: "with --version: show version, target and commit as JSON",
  },
  ...globalArguments,
} as const satisfies Arguments;
