import { commandAt } from "./arguments.ts";

const isUrl = (word: string | undefined) => {
  const lower = word?.slice(0, 8).toLowerCase() ?? "";
  return lower.startsWith("https://") || lower.startsWith("http://");
};
/** The package of mcp-remote as launchers name it, with or without a version, or a script in it, as runtimes name it. */
const isMcpRemote = (word: string) =>
  word === "mcp-remote" ||
  word.startsWith("mcp-remote@") ||
  (word.endsWith("js") && /[/\\]mcp-remote[/\\]/.test(word));

/**
 * The arguments of mcp-remote in a command line: `URL ...`, `run URL ...`, `mcp-remote URL ...`, also behind the words of
 * the launcher that this executable replaced (`-y mcp-remote@latest URL ...`), or any words if it was started under the name
 * mcp-remote. Undefined for another command line. `commands` are the program's commands, by name.
 */
export function dropInWords(
  argv0: string,
  words: readonly string[],
  commands: object,
): readonly string[] | undefined {
  const base = argv0.slice(Math.max(argv0.lastIndexOf("/"), argv0.lastIndexOf("\\")) + 1);
  if (base === "mcp-remote" || base === "mcp-remote.exe") return words;
  const [first = "", ...rest] = words;
  if (isUrl(first)) return words;
  if (first === "run") return rest.some(isUrl) ? rest : undefined;
  if (Object.hasOwn(commands, first)) return undefined;
  const hasUrl = words.some(isUrl);
  const at = words.findIndex(isMcpRemote);
  if (at === 0 || (at > 0 && hasUrl)) return words.slice(at + 1);
  if (!first.startsWith("-") || !hasUrl) return undefined;
  return Object.hasOwn(commands, words[commandAt(words)] ?? "") ? undefined : words;
}
