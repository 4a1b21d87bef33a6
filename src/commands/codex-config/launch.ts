import type { Context } from "../../cli/command.ts";
import { bridgeExecutable } from "../../cli/own-path.ts";
import { trustsHome, userHome } from "../../platform/paths.ts";

/** Facts that all entries of one run of `codex-config` share. */
export interface Launch {
  /** The bridge's executable, absolute. */
  readonly command: string;
  /** Absolute path of config.json, if it is not the default one. */
  readonly configFile?: string;
  /** Absolute current directory of the bridge; undefined: the folder of Codex's session. */
  readonly cwd?: string;
  readonly required: boolean;
  /** Absolute path of the log file of `run`. */
  readonly logFile?: string | undefined;
  /** Whether CODEX_MCP_BRIDGE_TRUST_HOME is set: the user vouches for the permissions of the bridge's home. */
  readonly trustsHome?: boolean;
}

/** How Codex starts the bridge; `commandOption` is the value of `--command`. Throws `usage`. */
export function launchOf(
  commandOption: string | undefined,
  required: boolean,
  context: Context,
): Launch {
  const { custom, configFile } = context.paths();
  const { HOME, USERPROFILE } = context.env;
  return {
    command: bridgeExecutable(commandOption, context),
    ...(custom && { configFile }),
    ...((HOME || USERPROFILE) && { cwd: userHome(context.env) }),
    required,
    trustsHome: trustsHome(context.env),
  };
}
