import type { Client, Start } from "../../config/clients/clients.ts";
import {
  type Format,
  isObject,
  type JsonObject,
  readValue,
} from "../../config/clients/document.ts";
import { type EntryPath, findEntries, isRemoteKey } from "../../config/clients/entries.ts";
import {
  changeJson,
  type ObjectChange,
  removeJson,
  setJson,
} from "../../config/clients/json-edit.ts";
import { removeYaml, setYaml } from "../../config/clients/yaml-edit.ts";
import { BridgeError } from "../../wire/errors.ts";
import { isRewritable, otherUse, ownerOf } from "../codex-config/entry.ts";

/** An entry of a client's file that is to start the bridge. */
export interface EntryChange {
  /** The keys from the file's root to the entry; the last is an index if the client's servers are a list. */
  readonly path: EntryPath;
  /** The entry's name in the client. */
  readonly name: string;
  readonly start: Start;
  /** Variables of the old entry's `env` to remove, because config.json now holds their values. */
  readonly drop?: ReadonlySet<string>;
}

/** Keys that say how the client starts a server; those that the new entry lacks are removed. */
const startKeys = ["command", "args", "cmd", "transport", "type"];
const envKeys = ["env", "environment", "envs"];

function mergedEnv(before: unknown, wanted: unknown, drop: ReadonlySet<string>): JsonObject {
  const old = isObject(before) ? before : {};
  const kept = Object.entries(old).filter(([name]) => !drop.has(name));
  return { ...(isObject(wanted) ? wanted : {}), ...Object.fromEntries(kept) };
}

/** The entry after the change: the client's other keys and the order of all keys are kept. */
function entryAfter(
  before: JsonObject | undefined,
  client: Client,
  { name, start, drop = new Set() }: EntryChange,
): JsonObject {
  const wanted = client.entry(name, start);
  if (before === undefined) return { ...wanted, ...client.defaults };
  const after: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(before)) {
    if (envKeys.includes(key)) {
      const env = mergedEnv(value, wanted[key], drop);
      if (Object.keys(env).length > 0) after[key] = env;
    } else if (Object.hasOwn(wanted, key)) after[key] = wanted[key];
    // config.json now holds the remote server's settings.
    else if (!isRemoteKey(key) && key !== "cwd" && !startKeys.includes(key)) after[key] = value;
  }
  return { ...after, ...withoutKeys(wanted, after), ...withoutKeys(client.defaults ?? {}, after) };
}

function withoutKeys(value: JsonObject, excluded: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !Object.hasOwn(excluded, key)));
}

/** The value at a path; undefined if there is none. */
export function valueAt(value: unknown, path: EntryPath): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      Array.isArray(inner) || isObject(inner)
        ? (inner as Readonly<Record<string | number, unknown>>)[key]
        : undefined,
    value,
  );
}

/** Sets the entry at `path` in `value`, in place, and creates missing sections; returns the root. */
function putAt(value: unknown, path: EntryPath, entry: JsonObject, isList: boolean): unknown {
  const whole = isObject(value) ? value : {};
  let inner: object = whole;
  path.forEach((key, at) => {
    const isLast = at === path.length - 1;
    const current = (inner as Readonly<Record<string | number, unknown>>)[key];
    const isSection = typeof current === "object" && current !== null;
    const newSection = isList && at === path.length - 2 ? [] : {};
    const next = isLast ? entry : isSection ? current : newSection;
    // Assigning to the key `__proto__` would set the prototype.
    const property = { value: next, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(inner, key, property);
    inner = next;
  });
  return whole;
}

/** Parses the edited text and compares it with the expected value. Throws `configuration` if they differ. */
async function verifyEdit(
  after: string,
  expected: unknown,
  format: Format,
  where: string,
): Promise<void> {
  const read = await readValue(after, format, where).catch(() => undefined);
  if (Bun.deepEquals(read ?? {}, expected)) return;
  throw new BridgeError(
    "configuration",
    `${where} is written in a form that the bridge cannot edit`,
    {
      hint: "write the entry by hand; nothing was changed",
    },
  );
}

/** Sets entries in the text of a client's file, which `where` names in errors; a field that already has its value keeps its bytes. Throws `configuration`. */
export async function writeEntries(
  text: string,
  client: Client,
  changes: readonly EntryChange[],
  where: string,
): Promise<string> {
  const { format } = client;
  const isList = client.isList === true;
  const value = await readValue(text, format, where);
  let expected = structuredClone(value);
  const known: ObjectChange[] = [];
  const others: { change: EntryChange; entry: JsonObject }[] = [];
  for (const change of changes) {
    const { path } = change;
    const old = valueAt(value, path);
    const before = isObject(old) ? old : undefined;
    const entry = entryAfter(before, client, change);
    if (before !== undefined && Bun.deepEquals(before, entry)) continue;
    expected = putAt(expected, path, entry, isList);
    if (format === "yaml" || before === undefined) others.push({ change, entry });
    else {
      const pairs = Object.entries(entry).filter(([key, to]) => !Bun.deepEquals(before[key], to));
      const remove = Object.keys(before).filter((key) => !Object.hasOwn(entry, key));
      known.push({ path: path.map(String), set: Object.fromEntries(pairs), remove });
    }
  }
  if (known.length + others.length === 0) return text;
  let after = known.length === 0 ? text : await changeJson(text, known, where);
  for (const { change, entry } of others) {
    const { path, name } = change;
    after =
      format === "yaml"
        ? await setYaml(after, { key: String(path[0]), isList, where }, name, entry)
        : await setJson(after, path.map(String), entry, where);
  }
  await verifyEdit(after, expected, format, where);
  return after;
}

/** The text without the entry at `path`. Throws `configuration`. */
export async function removeEntry(
  text: string,
  { format }: Client,
  path: EntryPath,
  name: string,
  where: string,
) {
  const expected = await readValue(text, format, where);
  const section = valueAt(expected, path.slice(0, -1));
  const key = path.at(-1)!;
  if (Array.isArray(section)) section.splice(Number(key), 1);
  else if (isObject(section)) Reflect.deleteProperty(section, key);
  const after =
    format === "yaml"
      ? await removeYaml(text, { key: String(path[0]), where }, name)
      : await removeJson(text, path.map(String), where);
  await verifyEdit(after, expected, format, where);
  return after;
}

/** An entry in the section of a client's file that client-config writes to. */
export interface SectionEntry {
  readonly name: string;
  readonly path: EntryPath;
  /** Whether the entry starts servers of a config.json, so that it may be written anew. */
  readonly isOurs: boolean;
  /** What it does if it is not ours, for an error. */
  readonly use: string;
  /** The command and its arguments. */
  readonly words: readonly string[];
  /** The `--config-path` in its arguments; undefined for the default config.json. */
  readonly configFile: string | undefined;
}

/** The keys of the section that holds the servers; opencode has two forms, `mcp` and `mcp.servers`. */
export function sectionOf(client: Client, value: unknown): readonly string[] {
  const nested = [...client.section, "servers"];
  return client.id === "opencode" && isObject(valueAt(value, nested)) ? nested : client.section;
}

/** The entries in the client's section of the file. Throws `configuration`. */
export async function sectionEntries(
  text: string,
  client: Client,
  where: string,
): Promise<SectionEntry[]> {
  const value = await readValue(text, client.format, where);
  const section = sectionOf(client, value);
  return findEntries(value)
    .filter(({ path }) => path.length === section.length + 1)
    .filter(({ path }) => section.every((key, at) => path[at] === key))
    .map(({ name, path, words }) => {
      const [command, ...args] = words;
      const at = args.findIndex((word) => word === "--config-path" || word === "-c");
      return {
        name,
        path,
        words,
        isOurs: command !== undefined && isRewritable(name, { command, args }),
        use: otherUse(ownerOf(name, { command, args })),
        configFile: at < 0 ? undefined : args[at + 1],
      };
    });
}
