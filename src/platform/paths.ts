import { BridgeError } from "../wire/errors.ts";
import { dirname, isAbsolute, join, resolve } from "./path.ts";

/** The variables that are read by a name that stands in the program; a server's entry may name any other. */
type VariableName =
  | "BROWSER"
  | "CODEX_HOME"
  | "CODEX_MCP_BRIDGE_HOME"
  | "CODEX_MCP_BRIDGE_TEST"
  | "DISPLAY"
  | "HOME"
  | "LANG"
  | "LOGNAME"
  | "LOG_LEVEL"
  | "NO_COLOR"
  | "NO_PROXY"
  | "PATH"
  | "SSH_CONNECTION"
  | "SSH_TTY"
  | "TERM"
  | "TMPDIR"
  | "USER"
  | "USERPROFILE"
  | "WAYLAND_DISPLAY"
  | "no_proxy";

export type Environment = {
  readonly [name in VariableName]?: string | undefined;
} & { readonly [name: string]: string | undefined };

/** Where the bridge keeps its files. All absolute; symlinks are not resolved here. */
export interface Paths {
  readonly home: string;
  readonly configFile: string;
  readonly schemaFile: string;
  /** Whether another home than `~/.codex-mcp-bridge` was asked for. */
  readonly custom: boolean;
}

/** The folder of the user, from the environment alone: `node:os` costs start-up time. Throws `configuration`. */
export function userHome(env: Environment): string {
  const home = env.HOME ?? env.USERPROFILE;
  if (home !== undefined && isAbsolute(home)) return home;
  throw new BridgeError("configuration", "the variable HOME is not set to an absolute path", {
    hint: "set HOME or CODEX_MCP_BRIDGE_HOME",
  });
}

/**
 * The bridge's paths: `--config-path` (its folder is the home), else CODEX_MCP_BRIDGE_HOME, else
 * `~/.codex-mcp-bridge`. Throws `configuration` or `usage`.
 */
export function homeOf(env: Environment, configPath?: string): Paths {
  if (configPath !== undefined) {
    if (configPath === "") throw new BridgeError("usage", "--config-path needs a file name");
    const configFile = resolve(configPath);
    return pathsIn(dirname(configFile), configFile, true);
  }
  const named = env.CODEX_MCP_BRIDGE_HOME;
  if (named === undefined || named === "") {
    const home = join(userHome(env), ".codex-mcp-bridge");
    return pathsIn(home, join(home, "config.json"), false);
  }
  // A relative one would depend on the current directory, which a hostile repository may own.
  if (!isAbsolute(named)) {
    throw new BridgeError("configuration", "CODEX_MCP_BRIDGE_HOME is not an absolute path", {
      hint: "set it to a path that begins with /",
    });
  }
  const home = resolve(named);
  return pathsIn(home, join(home, "config.json"), true);
}

function pathsIn(home: string, configFile: string, custom: boolean): Paths {
  return { home, configFile, custom, schemaFile: join(home, "config.schema.json") };
}

/** Where a server's OAuth grant stands, unless it is in the keyring. */
export function credentialsFile(home: string, server: string): string {
  return join(home, "credentials", `${server}.json`);
}

/** Where what is remembered of a server stands; it holds no secret. */
export function cacheFile(home: string, server: string): string {
  return join(home, "cache", `${server}.json`);
}

/** The file whose kernel lock guards `name` (a server, or `config`). */
export function lockFile(home: string, name: string): string {
  return join(home, "locks", `${name}.lock`);
}
