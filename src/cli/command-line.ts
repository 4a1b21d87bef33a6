import { shellWord } from "../wire/text.ts";
import type { Context } from "./command.ts";

/** A command of this program to copy, with the configuration's path where it was given. */
export function commandLine(words: string, { configPath }: Pick<Context, "configPath">): string {
  const option = configPath === undefined ? "" : ` --config-path ${shellWord(configPath)}`;
  return `codex-mcp-http-bridge ${words}${option}`;
}
