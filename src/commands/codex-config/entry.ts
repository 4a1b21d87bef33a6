import { dropInWords } from "../../cli/drop-in-words.ts";
import { namedVariables, passedVariables } from "../../config/codex-environment.ts";
import { bypassProblem } from "../../config/rules-of.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { storedTokenType } from "../../oauth/store/grant-file.ts";
import { BridgeError } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { shellWord, splitWords } from "../../wire/text.ts";
import type { Launch } from "./launch.ts";
import { areEntryOptions, keptWords } from "./run-options.ts";
import type { TomlValue, Wanted } from "./toml-render.ts";

/** Codex's call timeout exceeds the bridge's by this much, so that the bridge's error, which names the cause, arrives first. */
const extraTimeoutSec = 2;
const startupTimeoutSec = 30;

const stdioKeys = ["command", "args", "env", "env_vars", "cwd"];
const httpKeys = [
  ...["url", "auth", "bearer_token_env_var", "http_headers", "env_http_headers"],
  ...["http_headers_helper", "scopes", "oauth_resource", "oauth"],
];

/** Keys that are written if config.json or an option sets them, and removed otherwise. */
const optionalKeys = ["required", "default_tools_approval_mode"];

/** A comment with the approval that `codex exec` needs; the user may uncomment it. */
const approvalNote =
  'default_tools_approval_mode = "approve"   # codex exec refuses every tool that is not marked read-only otherwise';

const isRequired = (servers: readonly ServerSettings[], launch: Launch) =>
  launch.required || servers.some(({ codex }) => codex.required === true);

/** Codex shows the error of a required server, and would take a stand-in for the server. */
const requiredWords = ["--on-failure", "error"];

function sharedFields(
  servers: readonly ServerSettings[],
  launch: Launch,
): Record<string, TomlValue> {
  const longestMs = Math.max(...servers.map(({ timeoutMs }) => timeoutMs));
  const approval = approvalOf(servers);
  return {
    startup_timeout_sec: startupTimeoutSec,
    tool_timeout_sec: longestMs / 1000 + extraTimeoutSec,
    ...(isRequired(servers, launch) && { required: true }),
    ...(approval !== undefined && { default_tools_approval_mode: approval }),
  };
}

/** The approval that all servers of an entry have: one server's must not count for the tools of another. */
function approvalOf(servers: readonly ServerSettings[]): string | undefined {
  const [approval, ...others] = new Set(servers.map(({ codex }) => codex.approval));
  return others.length === 0 ? approval : undefined;
}

const noteFor = (servers: readonly ServerSettings[]) =>
  approvalOf(servers) === undefined ? { note: approvalNote } : {};

/**
 * Switches off the last tier of Bun's compiler, which a program cannot do for itself: from the 2,000th call on it takes
 * a third of the CPU time and makes the slowest calls three times as slow (docs/performance.md).
 */
const fewerCompilers = { BUN_JSC_useFTLJIT: "0" };

/** The entry with which Codex starts the bridge for a server. */
export function stdioEntry(server: ServerSettings, launch: Launch): Wanted {
  return startEntry([server], ["--server", server.name], launch);
}

/** The entry with which Codex starts the bridge for several servers as one; `isAll`: for all that will be configured, too. */
export function combinedEntry(
  servers: readonly ServerSettings[],
  isAll: boolean,
  launch: Launch,
): Wanted {
  return startEntry(servers, combinedWords(servers, isAll), launch);
}

/** The options of `run` for several servers. */
export function combinedWords(servers: readonly ServerSettings[], isAll: boolean): string[] {
  return isAll ? ["--all"] : servers.flatMap(({ name }) => ["--server", name]);
}

function startEntry(
  servers: readonly ServerSettings[],
  words: readonly string[],
  launch: Launch,
): Wanted {
  const { command, configFile, cwd, trustsHome } = launch;
  const args = ["run", ...words];
  if (isRequired(servers, launch)) args.push(...requiredWords);
  if (configFile !== undefined) args.push("--config-path", configFile);
  if (launch.logFile !== undefined) args.push("--log-file", launch.logFile);
  const fields = {
    command,
    args,
    env: {
      LOG_LEVEL: "info",
      ...fewerCompilers,
      ...(trustsHome && { CODEX_MCP_BRIDGE_TRUST_HOME: "1" }),
    },
    env_vars: [...new Set(servers.flatMap((server) => passedVariables(server)))],
    // The bridge reads no file there, but Bun exits at once if its current directory was deleted.
    ...(cwd !== undefined && { cwd }),
    ...sharedFields(servers, launch),
  };
  return { fields, unwanted: unwantedKeys(httpKeys, fields), ...noteFor(servers) };
}

/** Those of `keys` and of the optional keys that the fields do not set: the merge removes them. */
function unwantedKeys(keys: readonly string[], fields: object): string[] {
  return [...keys, ...optionalKeys].filter((key) => !Object.hasOwn(fields, key));
}

/**
 * The entry for Codex's own HTTP client, which runs the bridge for the headers only. Throws `refused` if that client lacks
 * a feature that the server's entry in config.json needs.
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
    ...sharedFields([server], launch),
  };
  return {
    fields,
    unwanted: unwantedKeys([...stdioKeys, ...httpKeys], fields),
    ...noteFor([server]),
  };
}

function nativeProblem(server: ServerSettings): string | undefined {
  const { credential, network, transport } = server;
  const auth = credential.type === "oauth" ? credential.auth : undefined;
  const names = namedVariables(server);
  if (transport === "sse") return "Codex's client does not speak the transport of 2024-11-05";
  if (Object.keys(network).length > 0) return "Codex's client cannot apply `network`";
  if (auth !== undefined && auth.store !== "file") return "Codex gives the helper no keyring";
  const isBound = auth?.dpop === true || storedTokenType(server) === "DPoP";
  if (isBound) return "DPoP needs a proof for each request";
  const bypass = bypassProblem(server);
  if (bypass !== undefined) return bypass;
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
 * What an entry starts: the bridge for servers of a config.json, the bridge for a URL (`drop-in`), the bridge's Python
 * predecessor, or another program. Other programs take `run` and `--server`, too: a renamed bridge is recognized only by
 * exactly the arguments that `codex-config` writes.
 */
export type Owner = "bridge" | "drop-in" | "python" | "other";

/** What an entry of config.toml starts. */
export function ownerOf(name: string, entry: Readonly<Record<string, unknown>>): Owner {
  const { command, args, http_headers_helper: helper } = entry;
  if (typeof command === "string") {
    const words: unknown[] = Array.isArray(args) ? args : [];
    const isPackage = words.some(
      (word) => word === "codex_mcp_http_bridge" || word === program.name,
    );
    if (isPackage && pythonPrograms.test(baseName(command))) return "python";
    if (isCall(["run", "--server", name], words)) return "bridge";
    if (baseName(command) !== program.name) return "other";
    return dropInWords(command, words.map(String), { run: true }) === undefined
      ? "bridge"
      : "drop-in";
  }
  const [start, ...words] = typeof helper === "string" ? splitWords(helper) : [];
  if (start === undefined) return "other";
  const isOurs =
    (baseName(start) === program.name && words[0] === "headers") ||
    isCall(["headers", "--server", name], words);
  return isOurs ? "bridge" : "other";
}

/** Whether an entry may be written anew: it starts servers of a config.json, which holds their settings. */
export function isRewritable(name: string, entry: Readonly<Record<string, unknown>>): boolean {
  const owner = ownerOf(name, entry);
  return owner === "bridge" || owner === "python";
}

/** What an entry does that may not be written anew, for an error. */
export function otherUse(owner: Owner): string {
  return owner === "drop-in"
    ? "starts the bridge for a URL, with settings that only the entry holds"
    : "does not start the bridge";
}

/** Whether the arguments are `call`, followed by options that a written entry may have. */
function isCall(call: readonly string[], words: readonly unknown[]): boolean {
  return call.every((word, at) => words[at] === word) && areEntryOptions(words.slice(call.length));
}

/**
 * Adapts `wanted` to the existing entry: what a person added to an entry of the bridge stays. If that entry may not be
 * written anew, throws `configuration`, or with `mayReplace` replaces the entry and its `env`.
 */
export function fitted(
  name: string,
  wanted: Wanted,
  before: Readonly<Record<string, unknown>> | undefined,
  mayReplace = false,
): Wanted {
  if (before === undefined) return wanted;
  const owner = isStartedBy(before, wanted) ? "bridge" : ownerOf(name, before);
  if (owner === "bridge") return withKept(wanted, before);
  if (owner !== "python" && !mayReplace) throw otherOwner(name, owner);
  if (owner !== "python") return { ...wanted, replaces: true };
  // In an entry of the Python package, `cwd` may be the folder of its virtual environment: remove the key.
  if (Object.hasOwn(wanted.fields, "cwd")) return wanted;
  return { ...wanted, unwanted: [...wanted.unwanted, "cwd"] };
}

/**
 * Adds what a person may have added to an entry of the bridge: options of `run`, variables to pass on, another limit of the
 * start. A longer limit of a call stays; a shorter one would hide the bridge's own error.
 */
function withKept(wanted: Wanted, before: Readonly<Record<string, unknown>>): Wanted {
  const { args, env_vars: variables, ...fields } = wanted.fields;
  const { startup_timeout_sec: startSec, tool_timeout_sec: callSec } = before;
  const callLimits = [Number(fields["tool_timeout_sec"]), Number(callSec)].filter(Number.isFinite);
  // `--required` wrote both; an entry that is not required any more shows a failure as others do.
  const own = before["required"] === true ? requiredWords : [];
  const kept: Record<string, TomlValue> = {
    ...(Array.isArray(args) && {
      args: [...args, ...keptWords(before["args"], [...args, ...own])],
    }),
    ...(Array.isArray(variables) && { env_vars: joined(before["env_vars"], variables) }),
    ...(typeof startSec === "number" && { startup_timeout_sec: startSec }),
    tool_timeout_sec: Math.max(...callLimits),
  };
  const keys = Object.keys(wanted.fields).filter(
    (key) => key !== "startup_timeout_sec" || before["startup_timeout_ms"] === undefined,
  );
  const order = keys.map((key) => [key, kept[key] ?? wanted.fields[key]!]);
  return { ...wanted, fields: Object.fromEntries(order) };
}

/** The variables of an entry, by name or as a table with a name, and then the wanted ones that are not among them. */
function joined(before: unknown, wanted: readonly string[]): TomlValue {
  if (!Array.isArray(before)) return wanted;
  const names = before.map((each) => (typeof each === "string" ? each : each?.name));
  const missing = wanted.filter((name) => !names.includes(name));
  return [...before, ...missing];
}

/** Whether an entry starts exactly what the wanted one does: the bridge may have another file name. */
function isStartedBy(
  before: { readonly command?: unknown; readonly args?: unknown },
  { fields }: Wanted,
): boolean {
  const { command, args } = fields;
  return before.command === command && Bun.deepEquals(before.args, args);
}

/** The error for an entry that may not be written anew. */
function otherOwner(name: string, owner: Owner): BridgeError {
  return new BridgeError(
    "configuration",
    `config.toml has a server "${name}" that ${otherUse(owner)}`,
    { hint: "add --replace, or give the server another name" },
  );
}

/** The value of `--config-path` in an entry that starts the bridge; undefined for the default config.json. */
export function configFileOf(entry: Readonly<Record<string, unknown>>): string | undefined {
  const { args, http_headers_helper: helper } = entry;
  const words = Array.isArray(args) ? args : splitWords(String(helper ?? ""));
  const at = words.findIndex((word) => word === "--config-path" || word === "-c");
  return at < 0 ? undefined : String(words[at + 1]);
}
