import type { Log } from "../platform/log.ts";
import type { Environment, Paths } from "../platform/paths.ts";
import type { Redactor } from "../platform/redact.ts";
import type { BridgeError, CommandLine } from "../wire/errors.ts";

import type { Marks } from "./terminal.ts";

/** One row of a command's table of arguments: what the strict reader accepts and `--help` shows. */
export interface Argument {
  readonly type: "string" | "boolean" | "enum" | "positional";
  readonly description: string;
  /** The one letter that stands for it. */
  readonly alias?: string;
  /** What help shows for the value. */
  readonly valueHint?: string;
  /** The words an `enum` takes. */
  readonly options?: readonly string[];
  /** Whether a positional word must be there. */
  readonly required?: boolean;
  /** Whether it may be given several times; its value is a list. */
  readonly repeat?: boolean;
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

/** The values of a table's arguments. Not given: a flag is false, a list is empty, the rest is undefined. */
export type Values<T extends Arguments> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** A row of the program's table of contents: its line in the help, and the module that does it. */
export interface Entry {
  readonly does: string;
  // biome-ignore lint/suspicious/noExplicitAny: the table holds commands of every table of arguments
  readonly load: () => Promise<{ readonly command: Command<any> }>;
}

export type Commands = Readonly<Record<string, Entry>>;

/** Everything that a command reads from the process. */
export interface Context {
  /** The program's table of contents. */
  readonly commands: Commands;
  readonly env: Environment;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Throws `configuration` where the environment names no home. */
  readonly paths: () => Paths;
  /** `--config-path` as given. */
  readonly configPath: string | undefined;
  /** Writes a command of this program for the user to copy, with `--config-path` where that was given. */
  readonly commandLine: CommandLine;
  /** The words that start this program again: the executable, and bridge.ts where run from source. */
  readonly self: readonly string[];
  /**
   * Writes a result to stdout, waiting for a slow reader; false where nobody reads any more. The text brings its
   * own line ends. Throws `configuration`.
   */
  readonly print: (text: string) => Promise<boolean>;
  /** The signs of the report, in the characters that the terminal shows. */
  readonly marks: Marks;
  /** Writes one line of explanation to stderr. */
  readonly note: (line: string) => void;
  /** Writes one line on stderr that begins with `warning: `. */
  readonly warn: (line: string) => void;
}

/** One verb of the program. Failures are thrown as BridgeError; main.ts prints them and sets the exit code. */
export interface Command<T extends Arguments = Arguments> {
  readonly args: T;
  /** Resolves to the exit code, 0 where it resolves to nothing. */
  run(values: Values<T>, context: Context): Promise<number | undefined>;
  /**
   * Reports a failure in the command's own way and resolves to the exit code. Undefined: print `error:` and `hint:` as for
   * any other command.
   */
  refuse?(error: BridgeError, commandLine: CommandLine): Promise<number | undefined>;
}

/** Gives a command the types of its own table. */
export function defineCommand<const T extends Arguments>(command: Command<T>): Command<T> {
  return command;
}

/** `--server`, for commands about one server. */
export const serverArgument = {
  type: "string",
  alias: "s",
  valueHint: "NAME",
  description: "the server's name in the configuration",
} as const satisfies Argument;

/** `--server`, for commands that take several. */
export const serversArgument = { ...serverArgument, repeat: true } as const satisfies Argument;

/** What every command takes besides its own arguments. */
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
