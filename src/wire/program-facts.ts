import { version } from "../../package.json";
import type { CommandLine } from "./errors.ts";
import { shellWord } from "./text.ts";

// Defined by build.sh; they do not exist when the program runs from source.
declare const BUILD_COMMIT: string | undefined;
declare const BUILD_TARGET: string | undefined;

/** Name and version of this program; `target` is undefined when it runs from source. */
export const program = {
  name: "codex-mcp-http-bridge",
  version,
  commit: typeof BUILD_COMMIT === "undefined" ? "unknown" : BUILD_COMMIT,
  target: typeof BUILD_TARGET === "undefined" ? undefined : BUILD_TARGET,
} as const;

/** Writes commands for the user to copy, with the `--config-path` of this run: without it they would use another home. */
export function commandLineFor(configPath: string | undefined): CommandLine {
  const option = configPath === undefined ? "" : ` --config-path ${shellWord(configPath)}`;
  return (words) => `${program.name} ${words}${option}`;
}

/** MCP protocol revisions that the bridge supports, oldest first. */
export const protocolRevisions: readonly string[] = [
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2025-11-25",
  "2026-07-28",
];

/** The only revision that allows JSON-RPC batches (MCP 2025-03-26 basic). */
export const batchRevision = "2025-03-26";
