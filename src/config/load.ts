import * as v from "valibot";
import { readChecked } from "../platform/files.ts";
import type { Paths } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import { nearest } from "../wire/nearest-name.ts";
import { cleanText } from "../wire/text.ts";
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
import { type KeyPath, parseStrict } from "./strict-json.ts";
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

/** The parts of a valibot schema that this module reads. */
interface Shape {
  readonly type: string;
  /** Schemas of the values, by key, if the schema is an object. */
  readonly entries?: Readonly<Record<string, Shape>>;
  /** Schema of the value, if the value is optional. */
  readonly wrapped?: Shape;
  /** The alternatives, if the schema is a variant. */
  readonly options?: readonly Shape[];
}

/** The keys that an object of this shape may have; undefined if the shape is no object. */
function keysOf(shape: Shape | undefined): Readonly<Record<string, Shape>> | undefined {
  if (shape?.wrapped !== undefined) return keysOf(shape.wrapped);
  if (shape?.options === undefined) return shape?.type === "record" ? {} : shape?.entries;
  const all = shape.options.map(keysOf);
  return all.includes(undefined) ? undefined : Object.assign({}, ...all);
}

/** Path of the first list where the schema wants an object. valibot would accept the list as an object without keys. */
function findMisplacedList(value: unknown, shape: Shape | undefined): string[] | undefined {
  const keys = keysOf(shape);
  if (keys === undefined) return undefined;
  if (Array.isArray(value)) return [];
  for (const [key, inner] of isObject(value) ? Object.entries(value) : []) {
    const found = Object.hasOwn(keys, key) ? findMisplacedList(inner, keys[key]) : undefined;
    if (found !== undefined) return [key, ...found];
  }
  return undefined;
}

/** Turns an issue of valibot into a ConfigProblem with our message. */
function problemOf(
  issue: v.BaseIssue<unknown>,
  table: Table,
  base: readonly string[],
): ConfigProblem {
  const within = issue.path?.map((item) => item.key as string | number) ?? [];
  const path = [...base, ...within];
  const key = String(path.at(-1));
  if (issue.expected === "never") {
    const parents = within.slice(0, -1);
    const parent = parents.reduce<Shape | undefined>(
      (shape, step) => keysOf(shape)?.[String(step)],
      schemaOf(table),
    );
    const [near] = nearest(key, Object.keys(keysOf(parent) ?? {}));
    return new ConfigProblem(path, `unknown key${near === undefined ? "" : ` (is it ${near}?)`}`);
  }
  if (issue.received === "undefined") return new ConfigProblem(path, "missing");
  return new ConfigProblem(path, issue.message);
}

/** Validates an object. Builds only the schemas of the keys that the object has, and of `url`, the only required key. */
function check<T extends Table>(
  table: T,
  value: unknown,
  base: readonly string[],
  isFastValid: (value: unknown) => boolean,
): v.InferOutput<Whole<T>> {
  if (isFastValid(value)) return value as v.InferOutput<Whole<T>>;
  const keys = isObject(value) ? [...Object.keys(value), "url"] : [];
  const schema = schemaOf(table, keys);
  const list = findMisplacedList(value, schema);
  if (list !== undefined)
    throw new ConfigProblem([...base, ...list], "expected an object, not a list");
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  throw problemOf(result.issues[0], table, base);
}

/** Validates a whole configuration. Throws ConfigProblem. */
function checkAll(value: unknown, paths: Paths): Map<string, ServerSettings> {
  const top = check(topLevel, value, [], isFastValidTop);
  const entries = (value as RawConfig).servers ?? {};
  const servers = new Map<string, ServerSettings>();
  const lower = new Map<string, string>();
  for (const [name, entry] of Object.entries(entries)) {
    const checked = check(serverEntry, entry, ["servers", name], isFastValidEntry);
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The dotted name of a key, as errors show it. */
function keyPath(keys: KeyPath): string {
  const [first = "", ...rest] = keys.map((key) =>
    typeof key === "number" ? `[${key}]` : cleanText(key, 100),
  );
  return rest.reduce((path, key) => `${path}${key.startsWith("[") ? "" : "."}${key}`, first);
}

/**
 * Validates the text of a configuration file. Throws `configuration` with file, line and key path, never a value.
 * `isSaved` is false for a text that is not written yet: errors then have no line.
 */
export async function parseConfig(text: string, paths: Paths, isSaved = true): Promise<Config> {
  const refusal = (place: { line: number; column: number }, message: string, path?: KeyPath) => {
    // A syntax error has no key, so the column locates it.
    const column = path === undefined ? `, column ${place.column}` : "";
    const line = isSaved ? `, line ${place.line}${column}` : "";
    const key = path === undefined || path.length === 0 ? "" : `${keyPath(path)}: `;
    return new BridgeError("configuration", `${paths.configFile}${line}: ${key}${message}`, {
      hint: (command) => `correct the file, or see: ${command("setup --schema")}`,
    });
  };
  const raw = parseStrict(text);
  if (raw === undefined) {
    const { findJsonProblem } = await import("./json-document.ts");
    const { place, message, path } = await findJsonProblem(text);
    throw refusal(place, message, path);
  }
  try {
    if (!isObject(raw)) throw new ConfigProblem([], "expected an object");
    return { paths, raw, text, servers: checkAll(raw, paths) };
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error;
    const { readJsonDocument } = await import("./json-document.ts");
    const { placeOf } = await readJsonDocument(text);
    throw refusal(placeOf(error.path), error.message, error.path);
  }
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

/** The server called `name`, ignoring case; without `name` the only server. Throws `configuration` or `usage`. */
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
    hint(command) {
      const near = nearest(name, names);
      if (near.length > 0) return `did you mean ${near.join(" or ")}?`;
      return `the configuration holds ${quoted}; run ${command("setup")} to add one`;
    },
  });
}
