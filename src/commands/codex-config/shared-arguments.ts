// Options that codex-config and client-config share.
import type { Argument } from "../../cli/command.ts";
import { type Config, configuredName } from "../../config/load.ts";
import { nameProblem } from "../../config/validators.ts";
import { BridgeError } from "../../wire/errors.ts";

/** `--combined`. */
export const combinedArgument = {
  type: "string",
  fallback: "bridge",
  valueHint: "ENTRY",
  description: 'one entry for all servers, or for those of --server, as one server ("bridge")',
} as const satisfies Argument;

/** `--log-file`: the log of the bridge that the client starts, not of the command itself. */
export const logFileArgument = {
  type: "string",
  valueHint: "PATH",
  description: "let the bridge write its log to this file, too, for `logs`",
} as const satisfies Argument;

/** Throws `usage` if the name of the combined entry is not valid, or is that of one server. */
export function requireFreeName(name: string, { raw }: Config): void {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new BridgeError("usage", `--combined: ${problem}`);
  const taken = configuredName(raw, name);
  if (taken === undefined) return;
  throw new BridgeError("usage", `"${taken}" is the name of one server`, {
    hint: "give the combined entry another name: --combined NAME",
  });
}
