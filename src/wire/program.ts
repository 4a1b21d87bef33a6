import { version } from "../../package.json";
import type { CommandLine } from "./errors.ts";
import { shellWord } from "./text.ts";

// build.sh puts these in; from source they do not exist.
declare const BUILD_COMMIT: string | undefined;
declare const BUILD_TARGET: string | undefined;

/** What this program is; `target` is undefined where it runs from source. */
export const program = {
  name: "codex-mcp-http-bridge",
  version,
  commit: typeof BUILD_COMMIT === "undefined" ? "unknown" : BUILD_COMMIT,
  target: typeof BUILD_TARGET === "undefined" ? undefined : BUILD_TARGET,
} as const;

/** Commands to copy for whoever gave `--config-path` as this, or did not: a command without it would use another home. */
export function commandLineFor(configPath: string | undefined): CommandLine {
  const option = configPath === undefined ? "" : ` --config-path ${shellWord(configPath)}`;
  return (words) => `${program.name} ${words}${option}`;
}

/** The MCP revisions that pass the bridge, oldest first. */
export const protocolRevisions: readonly string[] = [
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2025-11-25",
  "2026-07-28",
];

/** The one revision with batches (MCP 2025-03-26 basic). */
export const batchRevision = "2025-03-26";
