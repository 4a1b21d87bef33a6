import { splitWords } from "../../wire/text.ts";
import { readShellLine } from "./shell-line.ts";

/** Package names of the other programs that bridge a stdio client to a remote server. */
export const bridges = [
  "mcp-remote",
  "supergateway",
  "mcp-proxy",
  "fastmcp-remote",
  "hyper-mcp-remote",
] as const;
export type BridgeName = (typeof bridges)[number];

/** A command line that starts another bridge, without its launcher. */
export interface OtherBridge {
  readonly name: BridgeName;
  readonly args: readonly string[];
  /** Variables that the command line sets (`env A=b npx ...`). */
  readonly env: Readonly<Record<string, string>>;
  /** One sentence for each part of the command line that will not carry over. */
  readonly notes: readonly string[];
  /** Why the remote server cannot be imported; undefined if it can. */
  readonly refused?: string;
}

const baseOf = (word: string) =>
  word
    .split(/[/\\]/)
    .at(-1)!
    .toLowerCase()
    .replace(/\.(exe|cmd|ps1|bat)$/, "");

/** The bridge with this package, program, image or path; a version (`@1.2`, `==1.2`, `:1.2`) is ignored. */
function bridgeNamed(word: string): BridgeName | undefined {
  const bare = baseOf(word.replace(/^npm:/, "")).replace(/(?<=.)(@|==|:).*$/, "");
  const name = bare === "mcp_proxy" ? "mcp-proxy" : bare;
  return bridges.find((each) => each === name);
}

/** The bridge whose package contains a script: `.../node_modules/mcp-remote/dist/proxy.js`. */
function bridgeOfScript(path: string): BridgeName | undefined {
  const parts = path.split(/[/\\]/).toReversed();
  return parts.map(bridgeNamed).find((name) => name !== undefined);
}

/** The bridge that a command line names, with a URL or with a variable behind it: for a command line that findBridge() cannot read. */
export function mentionedBridge(words: readonly string[]): BridgeName | undefined {
  const line = words.join(" ");
  const hasUrl = /https?:\/\//i.test(line);
  return bridges.find((name) => {
    const at = line.search(new RegExp(`(?<![\\w.-])${name}(?![\\w-])`));
    if (at < 0) return false;
    const args = line.slice(at).replace(/^\S+/, "");
    return hasUrl || /\$\{?\w|%\w+%/.test(args);
  });
}

/** Why an entry that starts a bridge is refused. */
export function unreadableReason(name: BridgeName, problem?: string): string {
  const why = problem === undefined ? "" : ` (${problem})`;
  return `its command line starts ${name} in a way that import cannot read${why}: add the server by setup --url`;
}

/** Programs that start a package by its name, each with its options that take a value. */
const launchers: Readonly<Record<string, readonly string[]>> = {
  npx: [
    ...["-p", "--package", "--registry", "--cache", "--userconfig", "-w", "--workspace"],
    ...["--prefix", "--loglevel", "--node-options", "--script-shell", "--cafile"],
  ],
  bunx: ["-p", "--package"],
  pnpx: ["--package", "-p", "--reporter", "--config"],
  uvx: [
    "--from",
    "--with",
    "-p",
    "--python",
    "--index",
    "--index-url",
    "--default-index",
    "--spec",
    "--project",
    "--directory",
  ],
};
/** Subcommands that act as one of the launchers. */
const subcommands: Readonly<Record<string, string>> = {
  "npm exec": "npx",
  "npm x": "npx",
  "pnpm dlx": "pnpx",
  "pnpm exec": "pnpx",
  "yarn dlx": "pnpx",
  "yarn exec": "pnpx",
  "bun x": "bunx",
  "deno x": "npx",
  "uv tool": "uvx",
  "uv x": "uvx",
  "uv run": "uvx",
  "pipx run": "uvx",
};
const runtimes = /^(node|nodejs|bun|deno|tsx|python[\d.]*|pypy[\d.]*)$/;
const shells = /^(?:ba|da|z|k|a|fi)?sh$/;
/** Programs that start the command in their arguments, and change nothing that the bridge needs. */
const prefixes =
  /^(nice|ionice|timeout|nohup|time|setsid|stdbuf|caffeinate|arch|corepack|volta|fnm|nvm-exec|asdf|mise|direnv)$/;
/** Programs that start the command in their arguments in another environment. */
const wrappers =
  /^(sudo|doas|proxychains4?|firejail|bwrap|dotenv|dotenvx|nix|nix-shell|infisical)$/;
const containers = /^(docker|podman|nerdctl|finch)$/;

/** Drops the leading options; an option in `valued` is dropped together with the next word, its value. */
function withoutOptions(words: readonly string[], valued: readonly string[]): readonly string[] {
  let at = 0;
  while (at < words.length && words[at]!.startsWith("-")) {
    if (words[at] === "--") return words.slice(at + 1);
    at += valued.includes(words[at]!) ? 2 : 1;
  }
  return words.slice(at);
}

/** Limit for programs that start each other. */
const maxDepth = 6;

/** The other bridge that a command line starts, directly or by a launcher; undefined if it starts another program. */
export function findBridge(words: readonly string[], depth = 0): OtherBridge | undefined {
  const [program, ...rest] = words;
  if (program === undefined || depth > maxDepth) return undefined;
  const direct = bridgeNamed(program);
  if (direct !== undefined) return { name: direct, args: rest, env: {}, notes: [] };
  const find = (others: readonly string[]) => findBridge(others, depth + 1);
  const base = baseOf(program);
  if (Object.hasOwn(launchers, base)) return launched(base, rest, find);
  const command = withoutOptions(rest, ["--dir", "-C", "--cwd"]);
  const sub = `${base} ${command[0]}`;
  const launcher = subcommands[sub];
  if (launcher !== undefined)
    return launched(launcher, command.slice(sub === "uv tool" ? 2 : 1), find);
  if (runtimes.test(base)) return ofRuntime(rest, find);
  if (shells.test(base)) return ofShell(rest, find);
  if (base === "powershell" || base === "pwsh") return ofPowerShell(rest, find);
  if (base === "cmd") return ofCmd(rest, find);
  if (base === "wsl") {
    return find(withoutOptions(rest, ["-d", "--distribution", "-u", "--user", "--cd"]));
  }
  if (base === "env") return ofEnv(rest, find);
  if (prefixes.test(base)) return scanned(rest, find);
  if (wrappers.test(base)) return withNote(scanned(rest, find), wrapperNote(base));
  if (containers.test(base)) return ofContainer(base, rest, find);
  if (/\s/.test(program)) {
    const split = splitWords(program);
    return split.length > 1 ? find([...split, ...rest]) : undefined;
  }
  return ofWrapper(base, rest, find);
}

type Find = (words: readonly string[]) => OtherBridge | undefined;

function withNote(found: OtherBridge | undefined, ...notes: string[]): OtherBridge | undefined {
  return found === undefined ? undefined : { ...found, notes: [...found.notes, ...notes] };
}

const wrapperNote = (program: string) =>
  `${program} is left out: set its variables where the client starts`;

function launched(launcher: string, words: readonly string[], find: Find): OtherBridge | undefined {
  const [name, ...args] = withoutOptions(words, launchers[launcher]!);
  const at = words.findIndex((word) => /^(-c$|--call(=|$))/.test(word));
  if (at >= 0 && (name === undefined || !words.slice(0, at).includes(name))) {
    const line = words[at]!.startsWith("--call=") ? words[at]!.slice(7) : (words[at + 1] ?? "");
    return ofLine(line, find);
  }
  const bridge = name === undefined ? undefined : bridgeNamed(name);
  if (bridge !== undefined) return { name: bridge, args, env: {}, notes: [] };
  return name === undefined ? undefined : ofWrapper(baseOf(name), args, find);
}

function ofRuntime(words: readonly string[], find: Find): OtherBridge | undefined {
  const rest = withoutOptions(words, ["-r", "--require", "--import", "--preload", "-e"]);
  const [first, ...args] = rest[0] === "run" ? withoutOptions(rest.slice(1), []) : rest;
  const [module] = words[0] === "-m" ? [words[1]] : [undefined];
  const name = module === undefined ? undefined : bridgeNamed(module);
  if (name !== undefined) return { name, args: words.slice(2), env: {}, notes: [] };
  if (first === undefined) return undefined;
  // npm's own scripts: .../npm/bin/npx-cli.js
  const [, npm] = /[/\\](np[mx])-cli\.js$/.exec(first) ?? [];
  if (npm !== undefined) return find([npm, ...args]);
  const script = bridgeOfScript(first);
  return script === undefined ? undefined : { name: script, args, env: {}, notes: [] };
}

/** The bridge that a shell's line starts. */
function ofLine(
  line: string,
  find: Find,
  syntax?: Parameters<typeof readShellLine>[1],
): OtherBridge | undefined {
  const read = readShellLine(line, syntax);
  if ("problem" in read) return refusedLine(line, read.problem);
  const found = find(read.words);
  if (found === undefined) return undefined;
  // Which of two bridges the client talks to is unknown.
  if (read.before.some((words) => find(words) !== undefined))
    return refusedLine(line, "it starts two bridges");
  const withEnv = { ...found, env: { ...read.env, ...found.env } };
  const before = [...new Set(read.before.map(([first = ""]) => shownProgram(first)))].join(", ");
  return before === ""
    ? withEnv
    : withNote(withEnv, `the shell's commands before ${found.name} are left out: ${before}`);
}

/** The bridge of a line that cannot be read, with the reason; undefined if the line names none. */
function refusedLine(line: string, problem: string): OtherBridge | undefined {
  const name = mentionedBridge([line]);
  return name === undefined
    ? undefined
    : { name, args: [], env: {}, notes: [], refused: unreadableReason(name, problem) };
}

/** A program's name; `a command` for a word that may hold more than a name, such as a secret. */
function shownProgram(word: string): string {
  return /^[\w./\\-]+$/.test(word) ? baseOf(word) || word : "a command";
}

/** A shell's `-c "..."`. */
function ofShell(words: readonly string[], find: Find): OtherBridge | undefined {
  const line = words.find((word) => !word.startsWith("-"));
  return line === undefined || !words[0]?.startsWith("-") ? undefined : ofLine(line, find);
}

function ofPowerShell(words: readonly string[], find: Find): OtherBridge | undefined {
  const option = words.findIndex((word) => /^[-/](c|command)$/i.test(word));
  const line = option < 0 ? withoutOptions(words, []) : words.slice(option + 1);
  const variables = line
    .join(" ")
    .replace(/(^|[;\n])\s*\$\{?env:(\w+)\}?\s*=\s*/gi, "$1$${$2}=")
    .replace(/\$\{?env:(\w+)\}?/gi, "$${$1}")
    // The call operator.
    .replace(/(^|[;\n])\s*&(?!&)/g, "$1");
  // PowerShell's own variables and its expressions.
  if (/\$(?!\{)/.test(variables))
    return refusedLine(variables, "it uses a variable of PowerShell's own");
  return ofLine(variables, find, "other");
}

/** The command line of `cmd /c`, which takes it as several arguments or as one, with `%A%` as `${A}`. */
function ofCmd(words: readonly string[], find: Find): OtherBridge | undefined {
  const at = words.findIndex((word) => !/^\/[a-z](:\w+)?$/i.test(word));
  const command = at < 0 ? [] : words.slice(at);
  const all = command.map((word) => word.replace(/%([A-Za-z_]\w*)%/g, "$${$1}"));
  const [only = "", ...more] = all;
  return more.length === 0 && /\s/.test(only) ? ofLine(only, find, "other") : find(all);
}

function ofEnv(words: readonly string[], find: Find): OtherBridge | undefined {
  const env: Record<string, string> = {};
  const split = /^(-S|--split-string=?)(.*)$/s.exec(words[0] ?? "");
  const line = split === null ? [] : split[2] === "" ? [words[1] ?? ""] : [split[2]!];
  const given = line.length === 0 ? words : [...splitWords(line[0]!), ...words.slice(2)];
  const rest = withoutOptions(given, ["-u", "-C", "--unset", "--chdir"]);
  let at = 0;
  for (; at < rest.length; at++) {
    const pair = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(rest[at]!);
    if (pair === null) break;
    env[pair[1]!] = pair[2]!;
  }
  const found = find(rest.slice(at));
  return found === undefined ? undefined : { ...found, env: { ...env, ...found.env } };
}

/** Limit for the words that may begin the command in a program's arguments. */
const maxCandidates = 3;

function isProgram(word: string): boolean {
  const base = baseOf(word);
  const known = [runtimes, shells, prefixes, wrappers].some((each) => each.test(base));
  return (
    known ||
    Object.hasOwn(launchers, base) ||
    bridgeNamed(word) !== undefined ||
    ["npm", "pnpm", "yarn", "uv", "pipx", "env", "cmd"].includes(base) ||
    /\s/.test(word)
  );
}

/** The bridge that the arguments of a program start, behind options that are not known here. */
function scanned(words: readonly string[], find: Find): OtherBridge | undefined {
  const starts = [...words.keys()].filter((at) => isProgram(words[at]!)).slice(0, maxCandidates);
  for (const at of starts) {
    const found = find(words.slice(at));
    if (found !== undefined) return found;
  }
  return undefined;
}

const insideContainer =
  /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.(docker|containers)\.internal)(?=[:/?#]|$)/i;

/** Options of `docker run` that take no value; each other option takes one. */
const containerFlag =
  /^(-[itdqP]+|--(interactive|tty|detach|rm|init|privileged|read-only|quiet|publish-all|no-healthcheck|replace)|--[\w-]+=(true|false))$/;

/** Splits the words after `docker run` into the options with their values and the rest, which begins with the image. */
function containerOptions(words: readonly string[]) {
  const options: { readonly option: string; readonly value: string }[] = [];
  let at = 0;
  while (words[at]?.startsWith("-")) {
    const word = words[at++]!;
    if (word === "--") break;
    if (containerFlag.test(word)) continue;
    const [, long, short = "", attached = ""] =
      /^(?:--([^=]+)|-[itdqP]*([A-Za-z]))=?(.*)$/s.exec(word) ?? [];
    options.push({
      option: long ?? short,
      value: attached === "" ? (words[at++] ?? "") : attached,
    });
  }
  return { options, rest: words.slice(at) };
}

function ofContainer(
  program: string,
  words: readonly string[],
  find: Find,
): OtherBridge | undefined {
  if (words[0] !== "run") return undefined;
  const { options, rest } = containerOptions(words.slice(1));
  const valuesOf = (...names: string[]) =>
    options.filter(({ option }) => names.includes(option)).map(({ value }) => value);
  const [entrypoint] = valuesOf("entrypoint");
  const found = scanned(entrypoint === undefined ? rest : [entrypoint, ...rest.slice(1)], find);
  if (found === undefined) return undefined;
  const env: Record<string, string> = {};
  for (const text of valuesOf("e", "env")) {
    const pair = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
    if (pair !== null) env[pair[1]!] = pair[2]!;
  }
  const hasFile = valuesOf("env-file").length > 0;
  const usesHost = valuesOf("network", "net").includes("host");
  const isInside = !usesHost && found.args.some((word) => insideContainer.test(word));
  return {
    ...found,
    env: { ...env, ...found.env },
    notes: [
      ...found.notes,
      `${program} is left out: the bridge runs outside of containers`,
      ...(hasFile ? ["--env-file is left out: set its variables where the client starts"] : []),
    ],
    ...(isInside && {
      refused:
        "its URL is an address inside of the container: add the server by setup --url with an address that this machine knows",
    }),
  };
}

/** A wrapper that starts the command after `--`, such as a password manager's `run`. */
function ofWrapper(program: string, words: readonly string[], find: Find): OtherBridge | undefined {
  const at = words.indexOf("--");
  return at < 0 ? undefined : withNote(find(words.slice(at + 1)), wrapperNote(program));
}
