/** The last command of a shell's line, with the variables that are set for it. */
export interface ShellLine {
  readonly words: readonly string[];
  /** Variables that the line sets (`A=b npx ...`, `export A=b; npx ...`, `set A=b&& npx ...`). */
  readonly env: Readonly<Record<string, string>>;
  /** The commands before the last one, such as `source x.sh`. */
  readonly before: readonly (readonly string[])[];
}

/** `posix`: `$A` is a variable and a backslash escapes; `other`: neither, as in PowerShell and cmd.exe. */
type Syntax = "posix" | "other";

/** One token: a comment, a redirection of stderr alone, a continued line, a word, an end of a command, or white space. */
const tokens = {
  posix:
    /(?:(?<=^|\s)(?:#[^\n]*|2>>?\s*(?:&1|[^\s;&|<>()`$'"\\]+))|\\\n)|(?<word>(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[^\n]|[^\s'"\\;&|<>()`])+)|(?<end>;|&&|\n)|\s+|(?<other>[\s\S])/gy,
  other:
    /(?<=^|\s)2>>?\s*(?:&1|[^\s;&|<>()`$'"]+)|(?<word>(?:'[^']*'|"[^"]*"|[^\s'";&|<>()`])+)|(?<end>;|&&|\n)|\s+|(?<other>[\s\S])/gy,
};
/** The parts of a word: `'...'`, `"..."`, an escaped character, other text. */
const parts = {
  posix: /'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])|[^'"\\]+/g,
  other: /'([^']*)'|"([^"]*)"|[^'"]+/g,
};
/** An expansion that is more than a variable or its default, and an escaped `$` that would be taken for a variable. */
const unreadable = /`|\$[0-9@*#?!$'"-]|\$\{(?![A-Za-z_]\w*(?:\}|:?[-?]|:[A-Za-z/]))|\\\$[A-Za-z_]/;
/** A literal `$A` in single quotes that would be taken for a variable. */
const literalVariable = /(?<![^\s:=])\$[A-Za-z_]|\/\$[A-Z_]/;
const assignment = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;
/** `A+=b`, `A[0]=b`. */
const otherAssignment = /^[A-Za-z_]\w*(?:\+|\[[^\]]*\])=/;
/** Commands that decide whether the next one runs. */
const deciding = /^(exec|exit|return|false|test|\[\[?|if|while|until|for|case|!)$/;

/** `$A` and `${A}` as `${A}`; an escaped character as itself. */
function expanded(text: string): string {
  return text.replace(/\\([$`"\\])|\\\n|\$([A-Za-z_][A-Za-z0-9_]*)/g, (whole, escaped, name) =>
    name === undefined ? (escaped ?? (whole === "\\\n" ? "" : whole)) : `\${${name}}`,
  );
}

function wordOf(text: string, syntax: Syntax): string {
  return text.replace(parts[syntax], (whole, single?: string, double?: string, escaped?: string) =>
    syntax === "posix"
      ? (single ?? (double === undefined ? (escaped ?? expanded(whole)) : expanded(double)))
      : (single ?? double ?? whole),
  );
}

/** Whether wordOf() gives the word that the shell would make of the text. */
function isReadable(text: string, syntax: Syntax): boolean {
  if (text.includes("$(")) return false;
  return [...text.matchAll(parts[syntax])].every(({ 0: whole, 1: single, 2: double, index }) => {
    if (syntax === "other") return double?.includes("`") !== true;
    if (single !== undefined) return !literalVariable.test(single);
    // With the character behind the part: `$'...'` is more than `$`.
    const part = double?.replaceAll("\\`", "") ?? text.slice(index, index + whole.length + 1);
    return !unreadable.test(part);
  });
}

/** Why a line cannot be read, without the line's text, which may hold a secret. */
interface Unreadable {
  readonly problem: string;
}

/** The commands of a line without pipes, redirections, substitutions, groups and commands in the background. */
function commandsOf(line: string, syntax: Syntax): string[][] | Unreadable {
  const commands: string[][] = [[]];
  for (const { groups = {} } of line.matchAll(tokens[syntax])) {
    const { word, end, other } = groups;
    if (other !== undefined) return { problem: `it uses the character ${other}` };
    if (word !== undefined && !isReadable(word, syntax))
      return { problem: "it uses a substitution, or a $ that begins no variable" };
    if (end !== undefined) commands.push([]);
    if (word !== undefined) commands.at(-1)!.push(wordOf(word, syntax));
  }
  return commands.filter((words) => words.length > 0);
}

type Command = Pick<ShellLine, "words" | "env">;

/** Splits a command's assignments off; undefined if one of them needs a running shell. */
function posixCommand(all: readonly string[]): Command | undefined {
  const isExport = all[0] === "export";
  const at = isExport ? -1 : all.findIndex((word) => !assignment.test(word));
  const first = at < 0 ? all.length : at;
  if (all.slice(0, first + 1).some((word) => otherAssignment.test(word))) return undefined;
  const pairs = all.slice(0, first).map((word) => assignment.exec(word));
  const set = pairs.flatMap((match) => (match === null ? [] : [[match[1]!, match[2]!]]));
  return { env: Object.fromEntries(set), words: all.slice(first) };
}

/** Reads `set A=b` of cmd.exe and `${A}=b`, PowerShell's assignment; undefined if the command is another expression. */
function otherCommand(all: readonly string[]): Command | undefined {
  const [first = "", ...rest] = all;
  const text = /^set$/i.test(first) ? rest.join(" ") : rest.length === 0 ? first : "";
  const match = /^(?:\$\{)?([A-Za-z_]\w*)\}?=(.*)$/s.exec(text);
  if (match !== null) return { env: { [match[1]!]: match[2]! }, words: [] };
  return first.startsWith("$") ? undefined : { env: {}, words: all };
}

/** Reads a shell's line that ends in one simple command. */
export function readShellLine(line: string, syntax: Syntax = "posix"): ShellLine | Unreadable {
  const read = syntax === "posix" ? posixCommand : otherCommand;
  let env: ShellLine["env"] = {};
  const before: (readonly string[])[] = [];
  let words: readonly string[] = [];
  const commands = commandsOf(line, syntax);
  if ("problem" in commands) return commands;
  for (const [at, all] of commands.entries()) {
    const command = read(all);
    if (command === undefined) return { problem: "it sets a variable by an expression" };
    words = command.words;
    const isLast = at === commands.length - 1;
    // `A=b program; npx ...` sets A for that program alone.
    if (isLast || words.length === 0) env = { ...env, ...command.env };
    if (isLast || words.length === 0) continue;
    if (deciding.test(words[0]!)) return { problem: `${words[0]} decides about its last command` };
    before.push(words);
  }
  if (words[0] === "exec" || words[0] === "command") words = words.slice(1);
  return words.length === 0 ? { problem: "it ends in no command" } : { words, env, before };
}
