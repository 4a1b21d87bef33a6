import { BridgeError } from "../wire/errors.ts";
import { nearest } from "../wire/nearest-name.ts";
import { program } from "../wire/program-facts.ts";
import { cleanText } from "../wire/text.ts";
import {
  type Argument,
  type Arguments,
  type Commands,
  globalArguments,
  serverArgument,
  type Values,
} from "./command.ts";

/** The options that may stand before the command's name. */
const leadingOptions: Arguments = { ...globalArguments, server: serverArgument };

/** The row of the table that an option names, long or short. */
function findOption(
  table: Arguments,
  option: string,
): [name: string, argument: Argument] | undefined {
  const isLong = option.startsWith("--");
  return Object.entries(table).find(
    ([name, { type, alias }]) =>
      type !== "positional" && (isLong ? option === `--${name}` : option === `-${alias}`),
  );
}

const isOption = (word: string) => word.length > 1 && word.startsWith("-");

/** Index of the command's name, the first word that is neither an option nor an option's value; -1 if there is none. */
export function commandAt(words: readonly string[]): number {
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (!isOption(word)) return at;
    const found = findOption(leadingOptions, word);
    if (found !== undefined && found[1].type !== "boolean") at++;
  }
  return -1;
}

/** A word for an error message: empty for a long word, which may be a secret put on the command line by mistake. */
function shown(word: string): string {
  return /^[\w.@/-]{1,20}$/.test(word) ? ` "${word}"` : "";
}

/** The error for a command that does not exist. */
export function unknownCommand(commands: Commands, name: string): BridgeError {
  const near = nearest(name, Object.keys(commands));
  const help = `${program.name} --help`;
  const hint = near.length === 0 ? `see ${help}` : `did you mean ${near.join(" or ")}? See ${help}`;
  const word = name.length > 30 ? "" : ` "${cleanText(name)}"`;
  return new BridgeError("usage", `unknown command${word}`, { hint });
}

class Reader {
  readonly #command: string;
  readonly #table: Arguments;
  readonly #positional: string[];
  readonly #required: string[];
  readonly values: Record<string, boolean | string | string[] | undefined> = {};

  constructor(command: string, table: Arguments) {
    this.#command = command;
    this.#table = table;
    const positionals = Object.entries(table).filter(([, { type }]) => type === "positional");
    this.#positional = positionals.map(([name]) => name);
    this.#required = positionals.filter(([, { required }]) => required).map(([name]) => name);
    for (const [name, { type, repeat }] of Object.entries(table))
      this.values[name] = type === "boolean" ? false : repeat ? [] : undefined;
  }

  read(words: readonly string[]): void {
    for (let at = 0; at < words.length; at++) {
      const word = words[at]!;
      if (word === "--") {
        for (const rest of words.slice(at + 1)) this.#readPositional(rest);
        break;
      }
      if (!isOption(word)) this.#readPositional(word);
      else if (this.#readOption(word, words[at + 1])) at++;
    }
    for (const name of this.#required)
      if (this.values[name] === undefined)
        throw this.#usageError(`"${this.#command}" needs ${name.toUpperCase()}`);
  }

  /** Reads one option; returns true if the next word is its value. */
  #readOption(word: string, next: string | undefined): boolean {
    const equals = word.indexOf("=");
    const option = equals < 0 ? word : word.slice(0, equals);
    const found = findOption(this.#table, option);
    if (found === undefined) throw this.#unknown(option);
    const [name, argument] = found;
    if (argument.type === "boolean") {
      if (equals >= 0) throw this.#usageError(`the option ${option} takes no value`);
      this.values[name] = true;
      return false;
    }
    const value = equals < 0 ? next : word.slice(equals + 1);
    const isAlone = equals < 0 && (value === undefined || isOption(value));
    if (isAlone && argument.fallback !== undefined) {
      this.#set(name, argument, argument.fallback, option);
      return false;
    }
    if (value === undefined || value === "" || (equals < 0 && isOption(value)))
      throw this.#usageError(`the option ${option} needs a value`);
    this.#set(name, argument, value, option);
    return equals < 0;
  }

  #set(name: string, argument: Argument, value: string, label: string): void {
    const { options, internalOptions = [], repeat } = argument;
    if (options !== undefined && ![...options, ...internalOptions].includes(value))
      throw this.#usageError(`${label} is one of ${options.join(", ")}`, nearest(value, options));
    const before = this.values[name];
    if (repeat && Array.isArray(before)) before.push(value);
    else if (before !== undefined) throw this.#usageError(`${label} is given twice`);
    else this.values[name] = value;
  }

  #readPositional(word: string): void {
    const name = this.#positional.find(
      (each) => this.values[each] === undefined || this.#table[each]!.repeat,
    );
    const option = name ?? this.#plainOption(word);
    if (option !== undefined)
      this.#set(option, this.#table[option]!, word, name?.toUpperCase() ?? `--${option}`);
    else throw this.#usageError(`unexpected word${shown(word)} after "${this.#command}"`);
  }

  /** The option whose value a plain word is; undefined for a command that takes the server's name as NAME. */
  #plainOption(word: string): string | undefined {
    if (this.#positional.includes("name")) return undefined;
    const options = Object.entries(this.#table).filter(([, { plain }]) => plain !== undefined);
    const url = word.includes("://") ? options.find(([, { plain }]) => plain === "url") : undefined;
    return (url ?? options.find(([, { plain }]) => plain === "word"))?.[0];
  }

  #unknown(option: string): BridgeError {
    const names = Object.entries(this.#table)
      .filter(([, { type }]) => type !== "positional")
      .map(([name]) => `--${name}`);
    return this.#usageError(
      `unknown option ${option} for "${this.#command}"`,
      nearest(option, names),
    );
  }

  #usageError(message: string, names: readonly string[] = []): BridgeError {
    const help =
      this.#command === program.name
        ? `${program.name} --help`
        : `${program.name} ${this.#command} --help`;
    const hint =
      names.length === 0 ? `see ${help}` : `did you mean ${names.join(" or ")}? See ${help}`;
    return new BridgeError("usage", message, { hint });
  }
}

/**
 * Reads the common form (long options, once unless repeatable, the value as a separate word) without the strict reader,
 * whose regular expressions delay the start. Undefined for any other form, which the strict reader then reads.
 */
function readPlain(table: Arguments, words: readonly string[]): Reader["values"] | undefined {
  const values: Reader["values"] = {};
  for (const name of Object.keys(table)) {
    const { type, repeat } = table[name]!;
    if (type === "positional") return undefined;
    values[name] = type === "boolean" ? false : repeat ? [] : undefined;
  }
  for (let at = 0; at < words.length; at++) {
    const name = words[at]!.slice(2);
    const isKnown = words[at]!.startsWith("--") && Object.hasOwn(table, name);
    const before = values[name];
    if (!isKnown || (before && !Array.isArray(before))) return undefined;
    const { type, options } = table[name]!;
    if (type === "boolean") values[name] = true;
    else {
      const value = words[++at];
      if (!value || isOption(value) || options?.includes(value) === false) return undefined;
      if (Array.isArray(before)) before.push(value);
      else values[name] = value;
    }
  }
  return values;
}

/** Reads a command's arguments by its table. Throws `usage`, which names the nearest valid option. */
export function readArguments<T extends Arguments>(
  command: string,
  table: T,
  words: readonly string[],
): Values<T> {
  const plain = readPlain(table, words);
  if (plain !== undefined) return plain as Values<T>;
  const reader = new Reader(command, table);
  reader.read(words);
  return reader.values as Values<T>;
}
