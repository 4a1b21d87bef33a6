import { version } from "../../package.json";
import type { CommandLine } from "./errors.ts";
import { shellWord } from "./text.ts";

// build.sh defines both; they do not exist when the program runs from source.
declare const BUILD_COMMIT: string | undefined;
declare const BUILD_TARGET: string | undefined;

const commit = typeof BUILD_COMMIT === "undefined" ? undefined : BUILD_COMMIT;

/**
 * Name, version, commit and build target of this program. From source, `commit` is "unknown" and `target` undefined.
 * `build` is "clean" if the executable was built from `commit` alone, "dirty" if from a tree with changes or of an
 * unknown commit, "source" if no executable was built.
 */
export const program = {
  name: "codex-mcp-http-bridge",
  version,
  commit: commit ?? "unknown",
  target: typeof BUILD_TARGET === "undefined" ? undefined : BUILD_TARGET,
  build:
    commit === undefined
      ? "source"
      : commit === "unknown" || commit.endsWith("-dirty")
        ? "dirty"
        : "clean",
} as const;

/** Formats commands for the user to copy. They repeat `--config-path`: without it they would use another configuration. */
export function commandLineFor(configPath: string | undefined): CommandLine {
  const option = configPath === undefined ? "" : ` --config-path ${shellWord(configPath)}`;
  return (words) => `${program.name} ${words}${option}`;
}

/** The command line for the hints of errors of one server: it names a server that has no entry in config.json. */
export function commandLineTo(
  { name, adHoc }: { readonly name: string; readonly adHoc?: object | undefined },
  commandLine: CommandLine,
): CommandLine {
  if (adHoc === undefined) return commandLine;
  return Object.assign((words: string) => commandLine(words), { adHoc: name });
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
