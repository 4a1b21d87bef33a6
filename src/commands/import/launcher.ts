import { splitWords } from "../../wire/text.ts";

/** The programs that bring a remote server to a stdio client, by their packages' names. */
export const bridges = [
  "mcp-remote",
  "supergateway",
  "mcp-proxy",
  "fastmcp-remote",
  "hyper-mcp-remote",
] as const;
export type BridgeName = (typeof bridges)[number];

/** The start of another bridge, free of its launcher. */
export interface OtherBridge {
  readonly name: BridgeName;
  readonly args: readonly string[];
  /** Variables that the launcher sets (`env A=b npx ...`). */
  readonly env: Readonly<Record<string, string>>;
  /** A program in between that sets variables of its own. */
  readonly wrapper?: string;
}

const baseOf = (word: string) =>
  word
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\.(exe|cmd|ps1|bat)$/i, "");

/** The bridge that a package's name, a path or a program's name means; any version. */
function bridgeNamed(word: string): BridgeName | undefined {
  const bare = baseOf(word.replace(/^npm:/, "")).replace(/(?<=.)(@|==).*$/, "");
  const name = bare === "mcp_proxy" ? "mcp-proxy" : bare;
  return bridges.find((each) => each === name);
}

/** The bridge that a script belongs to: `.../node_modules/mcp-remote/dist/proxy.js`. */
function bridgeOfScript(path: string): BridgeName | undefined {
  const parts = path.split(/[/\\]/).toReversed();
  return parts.map(bridgeNamed).find((name) => name !== undefined);
}

/** Launchers that take a package's name: the words before it, and the options that bring a value. */
const launchers: Readonly<Record<string, readonly string[]>> = {
  npx: ["-p", "--package", "--registry", "--cache", "--userconfig", "-w", "--workspace"],
  bunx: ["-p", "--package"],
  pnpx: ["--package"],
  uvx: ["--from", "--with", "-p", "--python", "--index", "--index-url", "--default-index"],
};
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

/** The words from the first that is no option; `valued` options take the next word along. */
function withoutOptions(words: readonly string[], valued: readonly string[]): readonly string[] {
  let at = 0;
  while (at < words.length && words[at]!.startsWith("-")) {
    if (words[at] === "--") return words.slice(at + 1);
    at += valued.includes(words[at]!) ? 2 : 1;
  }
  return words.slice(at);
}

/** The other bridge that an entry's words start, whatever launches it; undefined where they start anything else. */
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
  // npx -p mcp-remote mcp-remote URL, or a launcher inside a launcher: read on from there.
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

/** A shell's `-c "..."` of plain words; whatever needs a shell is not read. */
function ofShell(words: readonly string[]): OtherBridge | undefined {
  const line = words.find((word) => !word.startsWith("-"));
  if (line === undefined || !words[0]?.startsWith("-") || /[;&|<>`]|\$\(/.test(line)) {
    return undefined;
  }
  return findBridge(splitWords(line.replace(/^\s*exec\s+/, "")));
}

/** `cmd /c` takes its command as words or as one. */
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

/** A program that ends its own words with `--` and starts the rest, such as one that fetches secrets. */
function ofWrapper(program: string, words: readonly string[]): OtherBridge | undefined {
  const at = words.indexOf("--");
  const found = at < 0 ? undefined : findBridge(words.slice(at + 1));
  return found === undefined ? undefined : { ...found, wrapper: program };
}
