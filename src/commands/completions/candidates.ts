import { commandAt } from "../../cli/arguments.ts";
import {
  type Argument,
  type Arguments,
  type Commands,
  globalArguments,
} from "../../cli/command.ts";
import { levels } from "../../platform/log.ts";

/** One word that may stand where the cursor is. */
export interface Candidate {
  readonly word: string;
  /** Empty where the word says enough. */
  readonly description: string;
}

export interface Candidates {
  readonly words: readonly Candidate[];
  /** Whether a file's path may stand there: the shell completes it itself. */
  readonly isFile: boolean;
}

const none: Candidates = { words: [], isFile: false };

/** Options that stand without a command. */
const withoutCommand: Arguments = {
  version: { type: "boolean", description: "show the version" },
  ...globalArguments,
};

const plain = (words: readonly string[]): Candidate[] =>
  words.map((word) => ({ word, description: "" }));

/** Values of an argument; `serverNames` are those of the configuration. */
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

/** The option that a word names, with its value where it brings one (`--server=k`). */
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
 * What may stand at the end of a command line: `words` are those behind the program's name, the last one begun,
 * perhaps empty. Candidates begin with what is there of it.
 */
export async function candidatesFor(
  commands: Commands,
  words: readonly string[],
  serverNames: () => string[],
): Promise<Candidates> {
  const begun = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const at = commandAt(before);
  const name = at < 0 ? undefined : before[at]!;
  if (name !== undefined && !Object.hasOwn(commands, name)) return none;
  const table =
    name === undefined
      ? withoutCommand
      : { ...(await commands[name]!.load()).command.args, ...globalArguments };
  const found = candidatesIn(
    table,
    before.toSpliced(Math.max(at, 0), at < 0 ? 0 : 1),
    begun,
    serverNames,
  );
  const rows = Object.entries(commands).map(([word, { does }]) => ({ word, description: does }));
  const all = name === undefined && found === undefined ? { words: rows, isFile: false } : found;
  const fitting = all?.words.filter(({ word }) => word.startsWith(begun)) ?? [];
  return { words: fitting, isFile: all?.isFile ?? false };
}

/** Candidates among a command's own options and words; undefined where a plain word must come and the table has none. */
function candidatesIn(
  table: Arguments,
  before: readonly string[],
  begun: string,
  serverNames: () => string[],
): Candidates | undefined {
  const given: Record<string, number> = {};
  let isBare = false;
  let open: ReturnType<typeof optionAt>;
  for (const word of before) {
    if (open !== undefined) open = undefined;
    else if (isBare || !word.startsWith("-") || word === "-") given[""] = (given[""] ?? 0) + 1;
    else if (word === "--") isBare = true;
    else {
      const option = optionAt(table, word);
      if (option === undefined) continue;
      given[option.name] = (given[option.name] ?? 0) + 1;
      if (option.argument.type !== "boolean" && !option.hasValue) open = option;
    }
  }
  if (open !== undefined) return valuesOf(open.name, open.argument, serverNames);
  if (!isBare && begun.startsWith("--") && begun.includes("=")) {
    const option = optionAt(table, begun);
    if (option === undefined) return none;
    const { words } = valuesOf(option.name, option.argument, serverNames);
    const start = begun.slice(0, begun.indexOf("=") + 1);
    return { words: words.map((each) => ({ ...each, word: start + each.word })), isFile: false };
  }
  if (!isBare && begun.startsWith("-")) {
    const options = Object.entries(table).filter(
      ([name, { type, repeat }]) => type !== "positional" && (repeat || given[name] === undefined),
    );
    const words = options.map(([name, { description }]) => ({ word: `--${name}`, description }));
    return { words, isFile: false };
  }
  const places = Object.entries(table).filter(([, { type }]) => type === "positional");
  const place = places[given[""] ?? 0] ?? places.at(-1);
  if (place === undefined) return undefined;
  const isSurplus = (given[""] ?? 0) >= places.length && place[1].repeat !== true;
  return isSurplus ? none : valuesOf(...place, serverNames);
}
