import type { Context } from "../../cli/command.ts";
import { readDocument, serverValue } from "../../config/toml-document.ts";
import { codexConfigFile } from "./codex.ts";
import { configFileOf, ownerOf } from "./entry.ts";
import { readUserFile } from "./user-file.ts";

/**
 * Names of Codex's entries that start the bridge with this configuration, and none of whose servers it holds (`known`).
 * Empty if Codex's file cannot be read.
 */
export async function staleEntries(
  known: readonly string[],
  { env, paths }: Context,
): Promise<string[]> {
  const text = readUserFile(codexConfigFile(env))?.text ?? "";
  const document = await readDocument(text).catch(() => undefined);
  if (document === undefined) return [];
  const { custom, configFile } = paths();
  const names = new Set(known.map((name) => name.toLowerCase()));
  return [...document.servers.keys()].filter((name) => {
    const entry = serverValue(document, name) ?? {};
    const isOurs = ownerOf(name, entry) === "bridge";
    if (!isOurs || configFileOf(entry) !== (custom ? configFile : undefined)) return false;
    const { args } = entry as { args?: unknown };
    const words: unknown[] = Array.isArray(args) ? args : [];
    const servers = words.filter((_, at) => words[at - 1] === "--server");
    return servers.length > 0 && servers.every((each) => !names.has(String(each).toLowerCase()));
  });
}
