import * as v from "valibot";
import { readJudged } from "../platform/files.ts";
import type { Paths } from "../platform/paths.ts";
import { BridgeError, type Hint } from "../wire/errors.ts";
import { isFastValidEntry, isFastValidTop } from "./fast-validate.ts";
import {
  type ServerEntry,
  schemaOf,
  serverEntry,
  type Table,
  type TopLevel,
  topLevel,
  type Whole,
} from "./schema.ts";
import type { ServerSettings } from "./settings.ts";
import { ConfigProblem, serverSettings } from "./settings-builder.ts";
import { JsonProblem, keyPath, parseConfigJson } from "./strict-json.ts";
import { mayBeSecret } from "./validators.ts";

/** The configuration: every server checked, in the order of the file. */
export interface Config {
  readonly paths: Paths;
  readonly servers: ReadonlyMap<string, ServerSettings>;
  /** The file's content as it stands, for read-modify-write. */
  readonly raw: RawConfig;
  /** Its text. */
  readonly text: string;
}

/** The file as parsed: what a change is made on, so that untouched entries stay as they were written. */
export interface RawConfig extends Omit<TopLevel, "servers"> {
  servers?: Record<string, ServerEntry>;
}

/** The configured name that equals `name` but for its case. */
export function configuredName(raw: RawConfig, name: string): string | undefined {
  return Object.keys(raw.servers ?? {}).find((each) => each.toLowerCase() === name.toLowerCase());
}

const maxConfigBytes = 4 * 1024 * 1024;
/** Keys that are planned and whose function does not exist yet: refused by name. */
const notBuilt = new Set(["tools"]);

/** What the first issue of valibot means in our words. */
function problemOf(
  issue: v.BaseIssue<unknown>,
  known: readonly string[],
  base: readonly string[],
): ConfigProblem {
  const path = [...base, ...(issue.path?.map((item) => item.key as string | number) ?? [])];
  const key = String(path.at(-1));
  if (issue.expected === "never") {
    if (notBuilt.has(key)) return new ConfigProblem(path, "this key is not built yet");
    const near = known.find((word) => word.toLowerCase() === key.toLowerCase());
    return new ConfigProblem(path, `unknown key${near === undefined ? "" : ` (is it ${near}?)`}`);
  }
  if (issue.received === "undefined") return new ConfigProblem(path, "missing");
  return new ConfigProblem(path, issue.message);
}

/** Checks an object by the part of a table that its keys name; `url` is the one key that must be there. */
function check<T extends Table>(
  table: T,
  value: unknown,
  base: readonly string[],
  isPlain: (value: unknown) => boolean,
): v.InferOutput<Whole<T>> {
  if (isPlain(value)) return value as v.InferOutput<Whole<T>>;
  const keys = isObject(value) ? [...Object.keys(value), "url"] : [];
  const result = v.safeParse(schemaOf(table, keys), value, { abortEarly: true });
  if (result.success) return result.output;
  throw problemOf(result.issues[0], Object.keys(table), base);
}

/** Checks a whole configuration. Throws ConfigProblem. */
function judge(value: unknown, paths: Paths): Map<string, ServerSettings> {
  const top = check(topLevel, value, [], isFastValidTop);
  const entries = (value as RawConfig).servers ?? {};
  // valibot takes a list for a record.
  if (!isObject(entries)) throw new ConfigProblem(["servers"], "expected an object");
  const servers = new Map<string, ServerSettings>();
  const lower = new Map<string, string>();
  for (const [name, entry] of Object.entries(entries)) {
    const checked = check(serverEntry, entry, ["servers", name], isFastValidEntry);
    servers.set(name, serverSettings(name, checked, top, paths));
    const twin = lower.get(name.toLowerCase());
    if (twin !== undefined) {
      throw new ConfigProblem(["servers", name], `expected names that differ: "${twin}" is there`);
    }
    lower.set(name.toLowerCase(), name);
  }
  return servers;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Checks the text of a configuration file. Throws `configuration` naming file and key path, never a value.
 */
export function parseConfig(text: string, paths: Paths): Config {
  const file = paths.configFile;
  const hint: Hint = (command) => `correct the file, or see: ${command("setup --schema")}`;
  const mend = { hint };
  try {
    const raw = parseConfigJson(text);
    if (!isObject(raw)) throw new ConfigProblem([], "expected an object");
    return { paths, raw, text, servers: judge(raw, paths) };
  } catch (error) {
    if (error instanceof JsonProblem) {
      throw new BridgeError("configuration", `${file}: ${error.place}: ${error.message}`, mend);
    }
    if (error instanceof ConfigProblem) {
      const place = keyPath(error.path);
      const where = place === "" ? file : `${file}: ${place}`;
      throw new BridgeError("configuration", `${where}: ${error.message}`, mend);
    }
    throw error;
  }
}

/** Whether the file itself holds something that others must not read. */
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

/** The configuration, or undefined where the file does not exist. Throws `configuration`. */
export function readConfig(paths: Paths): Config | undefined {
  const file = readJudged(paths.configFile, maxConfigBytes);
  if (file === undefined) return undefined;
  const config = parseConfig(file.text, paths);
  if (holdsSecret(config.raw)) file.requirePrivate();
  return config;
}

/** The configuration. Throws `configuration` where it is missing, unsafe or wrong. */
export async function loadConfig(paths: Paths): Promise<Config> {
  const config = readConfig(paths);
  if (config !== undefined) return config;
  throw new BridgeError("configuration", `there is no configuration at ${paths.configFile}`, {
    hint: (command) => `run ${command("setup")}`,
  });
}

/** The server of that name (any case), or the only one. Throws `configuration` or `usage`. */
export function pickServer(config: Config, name?: string): ServerSettings {
  const names = [...config.servers.keys()];
  const quoted = names.map((each) => `"${each}"`).join(", ");
  if (names.length === 0) {
    throw new BridgeError("configuration", `${config.paths.configFile} holds no server`, {
      hint: (command) => `run ${command("setup")}`,
    });
  }
  if (name === undefined) {
    const [only, ...others] = config.servers.values();
    if (only !== undefined && others.length === 0) return only;
    throw new BridgeError("usage", `which server? The configuration holds ${quoted}`, {
      hint: `add --server ${names[0]}`,
    });
  }
  const found = names.find((each) => each.toLowerCase() === name.toLowerCase());
  const server = found === undefined ? undefined : config.servers.get(found);
  if (server !== undefined) return server;
  throw new BridgeError("configuration", `server ${JSON.stringify(name)} is not configured`, {
    hint: (command) => `the configuration holds ${quoted}; run ${command("setup")} to add one`,
  });
}
