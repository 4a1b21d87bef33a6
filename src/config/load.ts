import { readChecked } from "../platform/files.ts";
import type { Paths } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import { nearest } from "../wire/nearest-name.ts";
import { check, parseFile } from "./check.ts";
import { ConfigProblem } from "./config-problem.ts";
import { isFastValidEntry, isFastValidTop } from "./fast-validate.ts";
import { type ServerEntry, serverEntry, type TopLevel, topLevel } from "./schema.ts";
import type { ServerSettings } from "./settings.ts";
import { serverSettings } from "./settings-builder.ts";
import { mayBeSecret } from "./validators.ts";

/** A valid configuration; the servers are in the order of the file. */
export interface Config {
  readonly paths: Paths;
  readonly servers: ReadonlyMap<string, ServerSettings>;
  /** The parsed file, for read, modify, write. */
  readonly raw: RawConfig;
  /** The file's text. */
  readonly text: string;
}

/** The parsed file, without defaults. `changeConfig` edits this object, so that unchanged entries stay as written. */
export interface RawConfig extends Omit<TopLevel, "servers"> {
  servers?: Record<string, ServerEntry>;
}

/** The configured name that equals `name`, ignoring case. */
export function configuredName(raw: RawConfig, name: string): string | undefined {
  return Object.keys(raw.servers ?? {}).find((each) => each.toLowerCase() === name.toLowerCase());
}

const maxConfigBytes = 4 * 1024 * 1024;

/** Validates a whole configuration. Throws ConfigProblem. */
function checkAll(value: RawConfig, paths: Paths): Map<string, ServerSettings> {
  const top = isFastValidTop(value) ? (value as TopLevel) : check(topLevel, value);
  const entries = value.servers ?? {};
  const servers = new Map<string, ServerSettings>();
  const lower = new Map<string, string>();
  for (const [name, entry] of Object.entries(entries)) {
    const checked = isFastValidEntry(entry)
      ? entry
      : check(serverEntry, entry, { base: ["servers", name], required: ["url"] });
    servers.set(name, serverSettings(name, checked, top, paths));
    const twin = lower.get(name.toLowerCase());
    if (twin !== undefined) {
      throw new ConfigProblem(
        ["servers", name],
        `expected a unique name, ignoring case: "${twin}" exists`,
      );
    }
    lower.set(name.toLowerCase(), name);
  }
  return servers;
}

/**
 * Validates the text of a configuration file. Throws `configuration` with file, line and key path, never a value.
 * Errors in a text that is not saved yet have no line.
 */
export async function parseConfig(
  text: string,
  paths: Paths,
  { isSaved = true }: { readonly isSaved?: boolean } = {},
): Promise<Config> {
  return parseFile(text, { file: paths.configFile, isSaved, schema: "config" }, (value) => {
    const raw = value as RawConfig;
    return { paths, raw, text, servers: checkAll(raw, paths) };
  });
}

/** Whether the file itself contains a secret, so that others must not be able to read it. */
export function holdsSecret(raw: RawConfig): boolean {
  const hasUserinfo = (network: { proxy?: string } | undefined) =>
    network?.proxy !== undefined && new URL(network.proxy).password !== "";
  const isNamed = (pairs: Iterable<[string, string]>) =>
    [...pairs].some(([name, value]) => mayBeSecret(name, value));
  const isSecret = (entry: ServerEntry) =>
    entry.token !== undefined ||
    entry.access_token !== undefined ||
    (entry.auth?.type === "oauth" && entry.auth.clientSecret !== undefined) ||
    isNamed(Object.entries(entry.headers ?? {})) ||
    (entry.url.includes("?") && isNamed(new URL(entry.url).searchParams)) ||
    hasUserinfo(entry.network);
  return hasUserinfo(raw.network) || Object.values(raw.servers ?? {}).some(isSecret);
}

/** Reads the configuration; undefined if the file does not exist. Throws `configuration`. */
export async function readConfig(paths: Paths): Promise<Config | undefined> {
  const file = readChecked(paths.configFile, maxConfigBytes);
  if (file === undefined) return undefined;
  const config = await parseConfig(file.text, paths);
  if (holdsSecret(config.raw)) file.requirePrivate();
  return config;
}

/** Reads the configuration. Throws `configuration` if it is missing, unsafe or invalid. */
export async function loadConfig(paths: Paths): Promise<Config> {
  const config = await readConfig(paths);
  if (config !== undefined) return config;
  throw new BridgeError("configuration", `there is no configuration at ${paths.configFile}`, {
    hint: (command) => `run ${command("setup")}`,
  });
}

/** The servers that are not disabled. Throws `configuration` if there is none. */
export function enabledServers(config: Config): ServerSettings[] {
  const all = [...config.servers.values()];
  const enabled = all.filter(({ isDisabled }) => !isDisabled);
  if (enabled.length > 0) return enabled;
  const words = all.length === 0 ? "holds no server" : "holds only disabled servers";
  throw new BridgeError("configuration", `${config.paths.configFile} ${words}`, {
    hint: (command) => `run ${command(all.length === 0 ? "setup" : `enable ${all[0]!.name}`)}`,
  });
}

const quote = (name: string) => `"${name}"`;

/** The server called `name`, ignoring case; without `name` the only server that is not disabled. With `hasAll`, the hint names the command's option --all. Throws `configuration` or `usage`. */
export function pickServer(
  config: Config,
  name?: string,
  { hasAll = false }: { readonly hasAll?: boolean } = {},
): ServerSettings {
  const names = [...config.servers.keys()];
  if (name === undefined || names.length === 0) {
    const [first, ...others] = enabledServers(config);
    if (others.length === 0) return first!;
    const quoted = [first!, ...others].map(({ name }) => quote(name)).join(", ");
    throw new BridgeError("usage", `which server? The configuration holds ${quoted}`, {
      hint: hasAll ? `add --all, or --server ${first!.name}` : `add --server ${first!.name}`,
    });
  }
  const found = names.find((each) => each.toLowerCase() === name.toLowerCase());
  const server = found === undefined ? undefined : config.servers.get(found);
  if (server !== undefined) return server;
  throw new BridgeError("configuration", `server ${JSON.stringify(name)} is not configured`, {
    hint(command) {
      const near = nearest(name, names);
      if (near.length > 0) return `did you mean ${near.join(" or ")}?`;
      return `the configuration holds ${names.map(quote).join(", ")}; run ${command("setup")} to add one`;
    },
  });
}

/** The servers called `names`, each once; without names all that are not disabled. Throws `configuration`. */
export function pickServers(config: Config, names: readonly string[]): ServerSettings[] {
  if (names.length === 0) return enabledServers(config);
  return [...new Set(names.map((name) => pickServer(config, name)))];
}
