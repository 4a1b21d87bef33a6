import { splitWords } from "../../wire/text.ts";

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
  /** Name of a wrapper program that starts the bridge, such as a password manager's. */
  readonly wrapper?: string;
}

const baseOf = (word: string) =>
  word
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\.(exe|cmd|ps1|bat)$/i, "");

/** The bridge with this package name, program name or path; a version (`@1.2`, `==1.2`) is ignored. */
function bridgeNamed(word: string): BridgeName | undefined {
  const bare = baseOf(word.replace(/^npm:/, "")).replace(/(?<=.)(@|==).*$/, "");
  const name = bare === "mcp_proxy" ? "mcp-proxy" : bare;
  return bridges.find((each) => each === name);
}

/** The bridge whose package contains a script: `.../node_modules/mcp-remote/dist/proxy.js`. */
function bridgeOfScript(path: string): BridgeName | undefined {
  const parts = path.split(/[/\\]/).toReversed();
  return parts.map(bridgeNamed).find((name) => name !== undefined);
}

/** Programs that start a package by its name, each with its options that take a value. */
const launchers: Readonly<Record<string, readonly string[]>> = {
  npx: ["-p", "--package", "--registry", "--cache", "--userconfig", "-w", "--workspace"],
  bunx: ["-p", "--package"],
  pnpx: ["--package"],
  uvx: ["--from", "--with", "-p", "--python", "--index", "--index-url", "--default-index"],
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
  "uv tool": "uvx",
  "uv x": "uvx",
  "pipx run": "uvx",
};
const runtimes = /^(node|nodejs|bun|deno|tsx|python[\d.]*|pypy[\d.]*)$/;
const shells = /^(?:ba|da|z|k|a)?sh$/;

/** Drops the leading options; an option in `valued` is dropped together with the next word, its value. */
function withoutOptions(words: readonly string[], valued: readonly string[]): readonly string[] {
  let at = 0;
  while (at < words.length && words[at]!.startsWith("-")) {
    if (words[at] === "--") return words.slice(at + 1);
    at += valued.includes(words[at]!) ? 2 : 1;
  }
  return words.slice(at);
}

/** The other bridge that a command line starts, directly or by a launcher; undefined if it starts another program. */
export function findBridge(words: readonly string[]): OtherBridge | undefined {
  const [program, ...rest] = words;
  if (program === undefined) return undefined;
  const base = baseOf(program);
  const direct = bridgeNamed(program);
  if (direct !== undefined) return { name: direct, args: rest, env: {} };
  const sub = `${base} ${rest[0]}`;
  const launcher = Object.hasOwn(launchers, base) ? base : subcommands[sub];
  if (launcher !== undefined) {
    const skipped = launcher === base ? 0 : sub === "uv tool" ? 2 : 1;
    return launched(withoutOptions(rest.slice(skipped), launchers[launcher]!));
  }
  if (runtimes.test(base)) return ofRuntime(rest);
  if (shells.test(base)) return ofShell(rest);
  if (base === "cmd") return findBridge(commandOf(rest.filter((word) => !/^\/[a-z]$/i.test(word))));
  if (base === "wsl") {
    return findBridge(withoutOptions(rest, ["-d", "--distribution", "-u", "--user", "--cd"]));
  }
  if (base === "env") return ofEnv(rest);
  return ofWrapper(base, rest);
}

function launched(words: readonly string[]): OtherBridge | undefined {
  const [name, ...args] = words;
  const bridge = name === undefined ? undefined : bridgeNamed(name);
  return bridge === undefined ? undefined : { name: bridge, args, env: {} };
}

function ofRuntime(words: readonly string[]): OtherBridge | undefined {
  const rest = withoutOptions(words, ["-r", "--require", "--import", "--preload", "-e"]);
  const [first, ...args] = rest[0] === "run" ? withoutOptions(rest.slice(1), []) : rest;
  const [module] = words[0] === "-m" ? [words[1]] : [undefined];
  const name = module === undefined ? undefined : bridgeNamed(module);
  if (name !== undefined) return { name, args: words.slice(2), env: {} };
  const script = first === undefined ? undefined : bridgeOfScript(first);
  return script === undefined ? undefined : { name: script, args, env: {} };
}

/** A shell's `-c "..."`; undefined if the line has pipes, redirections, lists or substitutions. */
function ofShell(words: readonly string[]): OtherBridge | undefined {
  const line = words.find((word) => !word.startsWith("-"));
  if (line === undefined || !words[0]?.startsWith("-") || /[;&|<>`]|\$\(/.test(line)) {
    return undefined;
  }
  return findBridge(splitWords(line.replace(/^\s*exec\s+/, "")));
}

/** `cmd /c` takes its command line as several arguments or as one. */
function commandOf(words: readonly string[]): readonly string[] {
  return words.length === 1 && /\s/.test(words[0]!) ? splitWords(words[0]!) : words;
}

function ofEnv(words: readonly string[]): OtherBridge | undefined {
  const env: Record<string, string> = {};
  const rest = withoutOptions(words, ["-u", "-C", "-S"]);
  let at = 0;
  for (; at < rest.length; at++) {
    const pair = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(rest[at]!);
    if (pair === null) break;
    env[pair[1]!] = pair[2]!;
  }
  const found = findBridge(rest.slice(at));
  return found === undefined ? undefined : { ...found, env: { ...found.env, ...env } };
}

/** A wrapper that starts the command after `--`, such as a password manager's `run`. */
function ofWrapper(program: string, words: readonly string[]): OtherBridge | undefined {
  const at = words.indexOf("--");
  const found = at < 0 ? undefined : findBridge(words.slice(at + 1));
  return found === undefined ? undefined : { ...found, wrapper: program };
}
