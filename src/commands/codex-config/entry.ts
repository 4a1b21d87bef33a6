import { namedVariables, passedVariables } from "../../config/codex-environment.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { storedTokenType } from "../../oauth/store/store.ts";
import { BridgeError } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { shellWord, splitWords } from "../../wire/text.ts";
import type { TomlValue, Wanted } from "./toml-render.ts";

/** Codex's timeout of a call is this much longer than ours, so that our clear message comes first. */
const laterThanOursSec = 2;
const startupTimeoutSec = 30;

const stdioKeys = ["command", "args", "env", "env_vars", "cwd"];
const httpKeys = [
  ...["url", "auth", "bearer_token_env_var", "http_headers", "env_http_headers"],
  ...["http_headers_helper", "scopes", "oauth_resource", "oauth"],
];

/** Keys that are written only where the bridge's configuration or an option sets them, and removed otherwise. */
const decidedKeys = ["required", "default_tools_approval_mode"];

/** The approval that `codex exec` needs, as a comment for the user to uncomment. */
const approvalNote =
  'default_tools_approval_mode = "approve"   # codex exec refuses every tool that is not marked read-only otherwise';

/** Facts that all entries of one run of `codex-config` share. */
export interface Launch {
  /** The bridge's executable, absolute. */
  readonly command: string;
  /** The configuration file, absolute, where it is not the default one. */
  readonly configFile?: string;
  /** Where Codex starts the bridge, absolute; undefined: in the folder of its session. */
  readonly cwd?: string;
  readonly required: boolean;
  /** Whether the user said that nobody else has the folder of the home. */
  readonly trustsHome?: boolean;
}

function sharedFields(server: ServerSettings, launch: Launch): Record<string, TomlValue> {
  const { approval, required } = server.codex;
  return {
    startup_timeout_sec: startupTimeoutSec,
    tool_timeout_sec: server.timeoutMs / 1000 + laterThanOursSec,
    ...((launch.required || required === true) && { required: true }),
    ...(approval !== undefined && { default_tools_approval_mode: approval }),
  };
}

const noteFor = ({ codex }: ServerSettings) =>
  codex.approval === undefined ? { note: approvalNote } : {};

/** The entry with which Codex starts the bridge for a server. */
export function stdioEntry(server: ServerSettings, launch: Launch): Wanted {
  const { command, configFile, cwd, trustsHome } = launch;
  const args = ["run", "--server", server.name];
  if (configFile !== undefined) args.push("--config-path", configFile);
  const fields = {
    command,
    args,
    env: { LOG_LEVEL: "info", ...(trustsHome && { CODEX_MCP_BRIDGE_TRUST_HOME: "1" }) },
    env_vars: passedVariables(server),
    // The bridge reads nothing there, but the run time ends at once in a folder that was deleted.
    ...(cwd !== undefined && { cwd }),
    ...sharedFields(server, launch),
  };
  return { fields, unwanted: others(httpKeys, fields), ...noteFor(server) };
}

/** The keys to remove beside these fields. */
function others(keys: readonly string[], fields: object): string[] {
  return [...keys, ...decidedKeys].filter((key) => !Object.hasOwn(fields, key));
}

/**
 * The entry for Codex's own HTTP client, which runs the bridge for the headers only. Throws `refused` where that client
 * lacks something that the server's configuration needs.
 */
export function nativeEntry(server: ServerSettings, launch: Launch): Wanted {
  const why = nativeProblem(server);
  if (why !== undefined) {
    throw new BridgeError("refused", `--native does not fit server "${server.name}": ${why}`, {
      hint: (command) => `run ${command(`codex-config --server ${server.name}`)}`,
    });
  }
  const words = [launch.command, "headers", "--server", server.name];
  if (launch.configFile !== undefined) words.push("--config-path", launch.configFile);
  const fields = {
    url: server.url.href,
    http_headers_helper: words.map(shellWord).join(" "),
    ...sharedFields(server, launch),
  };
  return { fields, unwanted: others([...stdioKeys, ...httpKeys], fields), ...noteFor(server) };
}

function nativeProblem(server: ServerSettings): string | undefined {
  const { credential, network, transport } = server;
  const auth = credential.type === "oauth" ? credential.auth : undefined;
  const names = namedVariables(server);
  if (transport === "sse") return "Codex's client does not speak the transport of 2024-11-05";
  if (Object.keys(network).length > 0) return "`network` is the bridge's";
  if (auth !== undefined && auth.store !== "file") return "Codex gives the helper no keyring";
  const isBound = auth?.dpop === true || storedTokenType(server) === "DPoP";
  if (isBound) return "DPoP needs a proof for each request";
  if (names.length > 0) return `Codex gives the helper no ${names.join(", ")}`;
  return undefined;
}

/** Python and its package runners. */
const pythonPrograms = /^(python|pypy|py)[\d.]*$|^(uv|uvx|pipx)$/;

const baseName = (command: string) =>
  command
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\.exe$/i, "");

/**
 * The owner of an entry in Codex's configuration, judged by the command that it starts. Other programs have a `run` and a
 * `--server`, too: an executable that is not named as the bridge must have exactly the words that `codex-config` writes.
 */
export function ownerOf(
  name: string,
  entry: Readonly<Record<string, unknown>>,
): "bridge" | "python" | "other" {
  const { command, args, http_headers_helper: helper } = entry;
  if (typeof command === "string") {
    const words: unknown[] = Array.isArray(args) ? args : [];
    const isPackage = words.some(
      (word) => word === "codex_mcp_http_bridge" || word === program.name,
    );
    if (isPackage && pythonPrograms.test(baseName(command))) return "python";
    const isOurs = baseName(command) === program.name || isCall(["run", "--server", name], words);
    return isOurs ? "bridge" : "other";
  }
  const [start, ...words] = typeof helper === "string" ? splitWords(helper) : [];
  if (start === undefined) return "other";
  const isOurs =
    (baseName(start) === program.name && words[0] === "headers") ||
    isCall(["headers", "--server", name], words);
  return isOurs ? "bridge" : "other";
}

/** Whether the words are this call of the bridge, alone or with `--config-path`. */
function isCall(call: readonly string[], words: readonly unknown[]): boolean {
  const [option, path, ...more] = words.slice(call.length);
  const hasPath = option === "--config-path" && typeof path === "string" && more.length === 0;
  return call.every((word, at) => words[at] === word) && (option === undefined || hasPath);
}

/**
 * `wanted`, adapted to the existing entry. Throws `configuration` where another program owns that, unless `mayReplace`: then
 * the other program's variables go with it.
 */
export function fitted(
  name: string,
  wanted: Wanted,
  before: Readonly<Record<string, unknown>> | undefined,
  mayReplace = false,
): Wanted {
  if (before === undefined) return wanted;
  const owner = ownerOf(name, before);
  if (owner === "bridge") return wanted;
  if (owner === "other" && !mayReplace) throw otherOwner(name);
  if (owner === "other") return { ...wanted, replaces: true };
  // The Python package's entry may name the folder of its virtual environment.
  if (Object.hasOwn(wanted.fields, "cwd")) return wanted;
  return { ...wanted, unwanted: [...wanted.unwanted, "cwd"] };
}

/** The refusal to touch an entry that does not start the bridge. */
function otherOwner(name: string): BridgeError {
  return new BridgeError(
    "configuration",
    `config.toml has a server "${name}" that does not start the bridge`,
    { hint: "add --replace, or give the server another name" },
  );
}

/** The configuration file that an entry of ours names; undefined for the default one. */
export function configFileOf(entry: Readonly<Record<string, unknown>>): string | undefined {
  const { args, http_headers_helper: helper } = entry;
  const words = Array.isArray(args) ? args : splitWords(String(helper ?? ""));
  const at = words.findIndex((word) => word === "--config-path" || word === "-c");
  return at < 0 ? undefined : String(words[at + 1]);
}
