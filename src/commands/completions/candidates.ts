import { commandAt } from "../../cli/arguments.ts";
import {
  type Argument,
  type Arguments,
  type Commands,
  withGlobalArguments,
  withoutCommandArguments,
} from "../../cli/command.ts";
import { levels } from "../../platform/log.ts";

/** A word that can complete the one at the cursor. */
export interface Candidate {
  readonly word: string;
  /** Help text for the word; may be empty. */
  readonly description: string;
}

export interface Candidates {
  readonly words: readonly Candidate[];
  /** Whether a path fits at the cursor; the shell completes paths itself. */
  readonly isFile: boolean;
}

const none: Candidates = { words: [], isFile: false };

const plain = (words: readonly string[]): Candidate[] =>
  words.map((word) => ({ word, description: "" }));

/** Candidates for an argument's value; `serverNames` returns the names in config.json. */
function valuesOf(
  name: string,
  { options, valueHint = "" }: Argument,
  serverNames: () => string[],
) {
  if (options !== undefined) return { words: plain(options), isFile: false };
  if (name === "log-level") return { words: plain(levels), isFile: false };
  if (valueHint === "NAME" || name === "name")
    return { words: plain(serverNames()), isFile: false };
  return { words: [], isFile: /FILE|PATH|DIR/.test(valueHint) };
}

/** The option that a word names, such as `--server`, and whether the word contains its value (`--server=k`). */
function optionAt(table: Arguments, word: string) {
  const [flag = "", ...value] = word.split("=");
  const found = Object.entries(table).find(
    ([name, { type, alias }]) =>
      type !== "positional" &&
      (flag === `--${name}` || (alias !== undefined && flag === `-${alias}`)),
  );
  return found && { name: found[0], argument: found[1], hasValue: value.length > 0 };
}

/**
 * The candidates for the last of `words`, the words after the program's name; the last may be empty. Every candidate
 * begins with it.
 */
export async function candidatesFor(
  commands: Commands,
  words: readonly string[],
  serverNames: () => string[],
): Promise<Candidates> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const at = commandAt(before);
  const name = at < 0 ? undefined : before[at]!;
  if (name !== undefined && !Object.hasOwn(commands, name)) return none;
  const table =
    name === undefined
      ? withoutCommandArguments
      : withGlobalArguments((await commands[name]!.load()).command.args);
  const found = candidatesIn(
    table,
    before.toSpliced(Math.max(at, 0), at < 0 ? 0 : 1),
    current,
    serverNames,
  );
  const rows = Object.entries(commands).map(([word, { does }]) => ({ word, description: does }));
  const all = name === undefined && found === undefined ? { words: rows, isFile: false } : found;
  const fitting = all?.words.filter(({ word }) => word.startsWith(current)) ?? [];
  return { words: fitting, isFile: all?.isFile ?? false };
}

/** Candidates from a table of arguments; undefined if a positional argument is expected and the table has none. */
function candidatesIn(
  table: Arguments,
  before: readonly string[],
  current: string,
  serverNames: () => string[],
): Candidates | undefined {
  const usedOptions = new Set<string>();
  let positionalCount = 0;
  let isAfterDoubleDash = false;
  let optionAwaitingValue: ReturnType<typeof optionAt>;
  for (const word of before) {
    if (optionAwaitingValue !== undefined && !mayStandAlone(optionAwaitingValue.argument, word))
      optionAwaitingValue = undefined;
    else if (isAfterDoubleDash || !word.startsWith("-") || word === "-") positionalCount++;
    else if (word === "--") isAfterDoubleDash = true;
    else {
      const option = optionAt(table, word);
      optionAwaitingValue = undefined;
      if (option === undefined) continue;
      usedOptions.add(option.name);
      if (option.argument.type !== "boolean" && !option.hasValue) optionAwaitingValue = option;
    }
  }
  const awaiting = optionAwaitingValue;
  if (awaiting !== undefined && !mayStandAlone(awaiting.argument, current)) {
    return valuesOf(awaiting.name, awaiting.argument, serverNames);
  }
  if (!isAfterDoubleDash && current.startsWith("--") && current.includes("=")) {
    const option = optionAt(table, current);
    if (option === undefined) return none;
    const { words } = valuesOf(option.name, option.argument, serverNames);
    const start = current.slice(0, current.indexOf("=") + 1);
    return { words: words.map((each) => ({ ...each, word: start + each.word })), isFile: false };
  }
  if (!isAfterDoubleDash && current.startsWith("-")) {
    const options = Object.entries(table).filter(
      ([name, { type, repeat }]) => type !== "positional" && (repeat || !usedOptions.has(name)),
    );
    const words = options.map(([name, { description }]) => ({ word: `--${name}`, description }));
    return { words, isFile: false };
  }
  const positionals = Object.entries(table).filter(([, { type }]) => type === "positional");
  const positional = positionals[positionalCount] ?? positionals.at(-1);
  if (positional === undefined) {
    const { server } = table;
    return server?.plain === undefined ? undefined : valuesOf("server", server, serverNames);
  }
  const isSurplus = positionalCount >= positionals.length && positional[1].repeat !== true;
  return isSurplus ? none : valuesOf(...positional, serverNames);
}

/** Whether an option stands without its value, because another option follows it. */
function mayStandAlone({ fallback }: Argument, next: string): boolean {
  return fallback !== undefined && next.startsWith("-");
}
