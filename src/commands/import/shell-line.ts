/** The last command of a shell's line, with the variables that are set for it. */
export interface ShellLine {
  readonly words: readonly string[];
  /** Variables that the line sets (`A=b npx ...`, `export A=b; npx ...`). */
  readonly env: Readonly<Record<string, string>>;
  /** Programs of the commands before the last one, such as `source`. */
  readonly before: readonly string[];
}

/** `posix`: `$A` is a variable and a backslash escapes; `other`: neither, as in PowerShell and cmd.exe. */
type Syntax = "posix" | "other";

/** One token: a comment, a continued line, a word, an end of a command, or white space. */
const tokens = {
  posix:
    /(?:(?<=^|\s)#[^\n]*|\\\n)|(?<word>(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[^\n]|[^\s'"\\;&|<>()`])+)|(?<end>;|&&|\n)|\s+|(?<other>[\s\S])/gy,
  other: /(?<word>(?:'[^']*'|"[^"]*"|[^\s'";&|<>()`])+)|(?<end>;|&&|\n)|\s+|(?<other>[\s\S])/gy,
};
/** The parts of a word: `'...'`, `"..."`, an escaped character, other text. */
const parts = {
  posix: /'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])|[^'"\\]+/g,
  other: /'([^']*)'|"([^"]*)"|[^'"]+/g,
};
/** Redirection of stderr alone, which changes nothing for the client. */
const stderrTo = /(?<=^|\s)2>>?\s*(?:&1|[^\s;&|<>()`$]+)/g;
const assignment = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;

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

/** The commands of a line; undefined if it has pipes, redirections, substitutions, groups or commands in the background. */
function commandsOf(line: string, syntax: Syntax): string[][] | undefined {
  const commands: string[][] = [[]];
  for (const { groups = {} } of line.replace(stderrTo, "").matchAll(tokens[syntax])) {
    const { word, end, other } = groups;
    if (other !== undefined || word?.includes("$(") || (word?.startsWith('"') && /`/.test(word)))
      return undefined;
    if (end !== undefined) commands.push([]);
    if (word !== undefined) commands.at(-1)!.push(wordOf(word, syntax));
  }
  return commands.filter((words) => words.length > 0);
}

/** Reads a shell's line that ends in one simple command; undefined if the line is more than that. */
export function readShellLine(line: string, syntax: Syntax = "posix"): ShellLine | undefined {
  const commands = commandsOf(line, syntax);
  const env: Record<string, string> = {};
  const before: string[] = [];
  let words: readonly string[] = [];
  for (const command of commands ?? []) {
    if (words.length > 0) before.push(words[0]!);
    const first = command[0] === "export" ? 1 : 0;
    const at = command.findIndex((word, index) => index >= first && !assignment.test(word));
    for (const word of command.slice(first, at < 0 ? undefined : at)) {
      const [, name = "", value = ""] = assignment.exec(word) ?? [];
      env[name] = value;
    }
    words = at < 0 ? [] : command.slice(at);
    if (words[0] === "exec" || words[0] === "command") words = words.slice(1);
  }
  return words.length === 0 ? undefined : { words, env, before };
}
