import { BridgeError } from "../wire/errors.ts";
import { dirname, isAbsolute, join, resolve } from "./path.ts";

/** Environment variables that the program itself reads. A server's entry may name further variables. */
type VariableName =
  | "API_ACCESS_TOKEN"
  | "APPDATA"
  | "BROWSER"
  | "CLAUDE_CONFIG_DIR"
  | "CODEX_HOME"
  | "CODEX_MCP_BRIDGE_HOME"
  | "CODEX_MCP_BRIDGE_TEST"
  | "CODEX_MCP_BRIDGE_TRUST_HOME"
  | "DISPLAY"
  | "HOME"
  | "LANG"
  | "LC_ALL"
  | "LC_CTYPE"
  | "LOGNAME"
  | "LOG_LEVEL"
  | "MCP_REMOTE_CONFIG_DIR"
  | "NODE_EXTRA_CA_CERTS"
  | "NODE_TLS_REJECT_UNAUTHORIZED"
  | "NO_COLOR"
  | "NO_PROXY"
  | "PATH"
  | "SSE_URL"
  | "SSH_CONNECTION"
  | "SSH_TTY"
  | "SSL_CERT_FILE"
  | "TERM"
  | "TMPDIR"
  | "USER"
  | "USERPROFILE"
  | "WAYLAND_DISPLAY"
  | "XDG_CONFIG_HOME"
  | "no_proxy";

export type Environment = {
  readonly [name in VariableName]?: string | undefined;
} & { readonly [name: string]: string | undefined };

/** File name, without extension, of the state of one server. */
export type ServerKey = string & { readonly [isServerKey]: true };
declare const isServerKey: unique symbol;

/** Where the state of one server is kept: sign-in, cache and locks. */
export interface ServerState {
  /** The folder that holds credentials/, cache/ and locks/; absolute. */
  readonly root: string;
  readonly key: ServerKey;
}

/** Paths of the bridge's configuration and state: absolute, with symlinks unresolved. */
export interface Paths {
  /** The configuration's folder: base of relative file names and working directory of configured commands. */
  readonly home: string;
  readonly configFile: string;
  readonly schemaFile: string;
  /** The folder that holds the state of the configured servers. */
  readonly stateRoot: string;
  /** Whether `--config-path` or CODEX_MCP_BRIDGE_HOME replaces the default `~/.codex-mcp-bridge`. */
  readonly custom: boolean;
  /** The environment, whose variables the URL of an entry may refer to. */
  readonly env: Environment;
}

/** Whether the user accepts home folders that another user owns or may write. */
export function trustsHome(env: Environment): boolean {
  return env.CODEX_MCP_BRIDGE_TRUST_HOME === "1";
}

/** The user's home folder, read from the environment because `node:os` would slow the start. Throws `configuration`. */
export function userHome(env: Environment): string {
  const home = env.HOME ?? env.USERPROFILE;
  if (home !== undefined && isAbsolute(home)) return home;
  throw new BridgeError("configuration", "the variable HOME is not set to an absolute path", {
    hint: "set HOME or CODEX_MCP_BRIDGE_HOME",
  });
}

/**
 * The bridge's paths. The home is the folder of `--config-path`, else CODEX_MCP_BRIDGE_HOME, else `~/.codex-mcp-bridge`.
 * Throws `configuration` or `usage`.
 */
export function homeOf(env: Environment, configPath?: string): Paths {
  if (configPath !== undefined) {
    if (configPath === "") throw new BridgeError("usage", "--config-path needs a file name");
    const configFile = resolve(configPath);
    return pathsIn(env, dirname(configFile), configFile, true);
  }
  const named = env.CODEX_MCP_BRIDGE_HOME;
  if (named === undefined || named === "") {
    const home = join(userHome(env), ".codex-mcp-bridge");
    return pathsIn(env, home, join(home, "config.json"), false);
  }
  // A relative path would depend on the current directory, which may be a hostile repository.
  if (!isAbsolute(named)) {
    throw new BridgeError("configuration", "CODEX_MCP_BRIDGE_HOME is not an absolute path", {
      hint: "set it to a path that begins with /",
    });
  }
  const home = resolve(named);
  return pathsIn(env, home, join(home, "config.json"), true);
}

function pathsIn(env: Environment, home: string, configFile: string, custom: boolean): Paths {
  const schemaFile = join(home, "config.schema.json");
  return { home, configFile, schemaFile, stateRoot: home, custom, env };
}

/** The state of a configured server; `name` has passed nameProblem, so it is a safe file name. */
export function stateOf(root: string, name: string): ServerState {
  return { root, key: name as ServerKey };
}

/** The file of a server's OAuth credentials; unused if they are in the keyring. */
export function credentialsFile({ root, key }: ServerState): string {
  return join(root, "credentials", `${key}.json`);
}

/** The file of a server's cache; it holds no secret. */
export function cacheFile({ root, key }: ServerState): string {
  return join(root, "cache", `${key}.json`);
}

/** The file of the tools that a person approved. */
export function approvedFile({ root, key }: ServerState): string {
  return join(root, "approved", `${key}.json`);
}

/** The file of the kernel lock `name` of a folder. */
export function lockFile(folder: string, name: string): string {
  return join(folder, "locks", `${name}.lock`);
}
