import type { Client, Start } from "../../config/clients/clients.ts";
import { isObject, type JsonObject, readValue } from "../../config/clients/document.ts";
import { type EntryPath, findEntries } from "../../config/clients/entries.ts";
import { removeJson, setJson } from "../../config/clients/json-edit.ts";
import { removeYaml, setYaml } from "../../config/clients/yaml-edit.ts";
import { BridgeError } from "../../wire/errors.ts";
import { ownerOf } from "../codex-config/entry.ts";

/** A change of one entry in a client's file. */
export interface EntryChange {
  readonly client: Client;
  /** The keys that lead to the entry; a list's place stands last where the client has a list. */
  readonly path: EntryPath;
  /** The entry's name in the client. */
  readonly name: string;
  readonly start: Start;
  /** Variables of the old entry whose values the bridge has taken over. */
  readonly drop?: ReadonlySet<string>;
}

/** What an entry may say of a server that the bridge reaches now. */
const remoteKeys = [
  ...["url", "httpUrl", "serverUrl", "baseUrl", "base_url", "uri", "headers", "http_headers"],
  ...["requestOptions", "bearerToken", "bearerTokenEnv", "bearer_token_env", "env_http_headers"],
  ...["bearer_token_env_var", "headersHelper", "http_headers_helper", "oauth", "auth", "cwd"],
];
const startKeys = ["command", "args", "cmd", "transport", "type"];
const envKeys = ["env", "environment", "envs"];

function mergedEnv(before: unknown, wanted: unknown, drop: ReadonlySet<string>): JsonObject {
  const old = isObject(before) ? before : {};
  const kept = Object.entries(old).filter(([name]) => !drop.has(name));
  return { ...(isObject(wanted) ? wanted : {}), ...Object.fromEntries(kept) };
}

/** The entry after the change: what belongs to the client stays, in its order. */
function entryAfter(before: JsonObject | undefined, change: EntryChange): JsonObject {
  const { client, name, start, drop = new Set() } = change;
  const wanted = client.entry(name, start);
  if (before === undefined) return { ...wanted, ...client.defaults };
  const after: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(before)) {
    if (envKeys.includes(key)) {
      const env = mergedEnv(value, wanted[key], drop);
      if (Object.keys(env).length > 0) after[key] = env;
    } else if (Object.hasOwn(wanted, key)) after[key] = wanted[key];
    else if (!remoteKeys.includes(key) && !startKeys.includes(key)) after[key] = value;
  }
  return { ...after, ...withoutKeys(wanted, after), ...withoutKeys(client.defaults ?? {}, after) };
}

function withoutKeys(value: JsonObject, there: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !Object.hasOwn(there, key)));
}

function valueAt(value: unknown, path: EntryPath): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      Array.isArray(inner) || isObject(inner)
        ? (inner as Readonly<Record<string | number, unknown>>)[key]
        : undefined,
    value,
  );
}

/** Proves a change by reading it back: the entry is as meant, and everything else as it was. */
async function judge(
  after: string,
  before: unknown,
  path: EntryPath,
  entry: unknown,
  { format, title }: Client,
): Promise<void> {
  const read = await readValue(after, format, title).catch(() => undefined);
  const without = (value: unknown) => {
    const copy: unknown = structuredClone(value ?? {});
    const last = path.at(-1)!;
    const parent = valueAt(copy, path.slice(0, -1));
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else if (isObject(parent)) Reflect.deleteProperty(parent, String(last));
    return pruned(copy);
  };
  const isMeant = Bun.deepEquals(valueAt(read, path), entry);
  if (isMeant && Bun.deepEquals(without(read), without(before))) return;
  throw new BridgeError("configuration", "the file stands in a form that is not edited", {
    hint: "write the entry by hand; nothing was changed",
  });
}

/** Without objects and lists that hold nothing: a section that was made for the entry is no change of the rest. */
function pruned(value: unknown): unknown {
  if (!isObject(value)) return value;
  const pairs = Object.entries(value)
    .map(([key, inner]) => [key, pruned(inner)] as const)
    .filter(([, inner]) => inner !== null && !isEmpty(inner));
  return Object.fromEntries(pairs);
}

const isEmpty = (value: unknown) =>
  Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;

/** The text with the entry set; a field that is right already keeps its bytes. Throws `configuration`. */
export async function writeEntry(text: string, change: EntryChange): Promise<string> {
  const { client, path, name } = change;
  const { format, title } = client;
  const value = await readValue(text, format, title);
  const old = valueAt(value, path);
  const before = isObject(old) ? old : undefined;
  const entry = entryAfter(before, change);
  if (before !== undefined && Bun.deepEquals(before, entry)) return text;
  let after = text;
  if (format === "yaml") {
    const section = { key: String(path[0]), isList: client.isList === true };
    after = await setYaml(text, section, name, entry);
  } else if (before === undefined) {
    after = await setJson(text, path.map(String), entry, title);
  } else {
    const keys = path.map(String);
    for (const key of Object.keys(before)) {
      if (!Object.hasOwn(entry, key)) after = await removeJson(after, [...keys, key], title);
    }
    for (const [key, field] of Object.entries(entry)) {
      if (Bun.deepEquals(before[key], field)) continue;
      after = await setJson(after, [...keys, key], field, title);
    }
  }
  await judge(after, value, path, entry, client);
  return after;
}

/** The text without the entry at `path`. Throws `configuration`. */
export async function removeEntry(text: string, client: Client, path: EntryPath, name: string) {
  const { format, title } = client;
  const value = await readValue(text, format, title);
  const after =
    format === "yaml"
      ? await removeYaml(text, String(path[0]), name)
      : await removeJson(text, path.map(String), title);
  if (!Array.isArray(valueAt(value, path.slice(0, -1)))) {
    await judge(after, value, path, undefined, client);
  }
  return after;
}

/** One entry of the client's own section, and whether it starts this bridge. */
export interface PlacedEntry {
  readonly name: string;
  readonly path: EntryPath;
  readonly isOurs: boolean;
  /** The configuration file that it names; undefined for the default one. */
  readonly configFile: string | undefined;
  /** Texts of it that may be secrets. */
  readonly secrets: readonly string[];
}

/** The section of a client's file that holds its servers: opencode documents a second place. */
export function sectionOf(client: Client, value: unknown): readonly string[] {
  const nested = [...client.section, "servers"];
  return client.id === "opencode" && isObject(valueAt(value, nested)) ? nested : client.section;
}

/** The entries of the client's section. */
export async function placedEntries(text: string, client: Client): Promise<PlacedEntry[]> {
  const value = await readValue(text, client.format, client.title);
  const section = sectionOf(client, value);
  return findEntries(value)
    .filter(({ path }) => path.length === section.length + 1)
    .filter(({ path }) => section.every((key, at) => path[at] === key))
    .map(({ name, path, words, env, headers }) => {
      const [command, ...args] = words;
      const at = args.findIndex((word) => word === "--config-path" || word === "-c");
      return {
        name,
        path,
        isOurs: command !== undefined && ownerOf(name, { command, args }) !== "other",
        configFile: at < 0 ? undefined : args[at + 1],
        secrets: [...Object.values(env), ...Object.values(headers)],
      };
    });
}
