import { splitWords } from "../../wire/text.ts";
import { isObject, type JsonObject } from "./document.ts";

/** The keys and array indexes from the file's root to a value. */
export type EntryPath = readonly (string | number)[];

/** OAuth settings under the various keys that MCP clients have for them. */
export interface OAuthClientEntry extends JsonObject {
  readonly scopes?: unknown;
  readonly scope?: unknown;
  readonly callbackPort?: unknown;
  readonly callback_port?: unknown;
}

/** A server in a client's configuration, in one form for all clients. */
export interface ClientEntry {
  readonly name: string;
  readonly path: EntryPath;
  /** The program and its arguments; empty if the entry has a URL instead. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** OAuth settings, with the keys of the client that owns the file. */
  readonly oauth: OAuthClientEntry;
  /** Keys that cannot be imported: commands that print headers, and files of variables. */
  readonly unsupportedKeys: readonly string[];
  readonly isDisabled: boolean;
}

/** An entry as the clients write it, with the keys of all of them. */
interface RawEntry extends JsonObject {
  readonly command?: unknown;
  readonly cmd?: unknown;
  readonly path?: unknown;
  readonly args?: unknown;
  readonly env?: unknown;
  readonly envs?: unknown;
  readonly environment?: unknown;
  readonly headers?: unknown;
  readonly http_headers?: unknown;
  readonly env_http_headers?: unknown;
  readonly requestOptions?: RawEntry;
  readonly transport?: unknown;
  readonly oauth?: unknown;
  readonly auth?: unknown;
  readonly scopes?: unknown;
  readonly name?: unknown;
  readonly enabled?: unknown;
  readonly disabled?: unknown;
}

const isEntry = (value: unknown): value is RawEntry => isObject(value);

const strings = (value: unknown): Record<string, string> => {
  if (!isObject(value)) return {};
  const pairs = Object.entries(value).filter(([, item]) =>
    ["string", "number", "boolean"].includes(typeof item),
  );
  return Object.fromEntries(pairs.map(([key, item]) => [key, String(item)]));
};

const firstString = (entry: RawEntry, keys: readonly string[]) =>
  keys.map((key) => entry[key]).find((value) => typeof value === "string" && value !== "") as
    | string
    | undefined;

/** `httpUrl` is first because Gemini CLI prefers it to `url`. */
const urlKeys = ["httpUrl", "serverUrl", "url", "baseUrl", "base_url", "uri"];
const bearerVariableKeys = ["bearer_token_env_var", "bearerTokenEnv", "bearer_token_env"];
const commandKeys = ["headersHelper", "http_headers_helper", "headersCommand"];

/** The texts in a list; a port may be a number. */
const texts = (list: unknown): string[] =>
  Array.isArray(list)
    ? list.filter((word) => ["string", "number"].includes(typeof word)).map(String)
    : [];

function wordsOf(command: unknown, args: unknown): string[] {
  const more = typeof args === "string" ? splitWords(args) : texts(args);
  if (Array.isArray(command)) return [...texts(command), ...more];
  // Old versions of Zed wrote the program as an object.
  if (isEntry(command)) return wordsOf(command.path ?? command.command, command.args ?? args);
  if (typeof command !== "string" || command.trim() === "") return [];
  // Some clients start a command line in one string by a shell; most refuse it.
  if (more.length === 0 && /\s\S*:\/\//.test(command)) return splitWords(command);
  return [command, ...more];
}

function headersOf(entry: RawEntry): Record<string, string> {
  const headers: { [name: string]: string; Authorization?: string } = {
    ...strings(isEntry(entry.requestOptions) ? entry.requestOptions.headers : undefined),
    ...strings(entry.http_headers),
    ...strings(entry.headers),
  };
  for (const [header, variable] of Object.entries(strings(entry.env_http_headers))) {
    headers[header] = `\${${variable}}`;
  }
  const variable = firstString(entry, bearerVariableKeys);
  const token = firstString(entry, ["bearerToken", "bearer_token"]);
  if (variable !== undefined) headers.Authorization = `Bearer \${${variable}}`;
  else if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  return headers;
}

function oauthOf(entry: RawEntry): OAuthClientEntry {
  const nested = [entry.oauth, entry.auth].find(isObject) ?? {};
  const flat: Record<string, unknown> = {};
  // mcporter, and in part Codex, write OAuth settings in the entry itself: `oauthClientId`, `oauth_resource`.
  for (const [key, value] of Object.entries(entry)) {
    if (/^oauth[A-Z_]/.test(key)) flat[key.replace(/^oauth_?/, "")] = value;
  }
  return {
    ...flat,
    ...(Array.isArray(entry.scopes) && { scopes: entry.scopes }),
    ...nested,
  };
}

/** Reads one entry; undefined if it has neither a command nor a URL. */
function readEntry(name: string, value: unknown, path: EntryPath): ClientEntry | undefined {
  if (!isEntry(value)) return undefined;
  const entry: RawEntry = isObject(value.transport) ? { ...value, ...value.transport } : value;
  const words = wordsOf(entry.command ?? entry.cmd, entry.args);
  const url = firstString(entry, urlKeys);
  if (words.length === 0 && url === undefined) return undefined;
  const command: RawEntry = isEntry(entry.command) ? entry.command : {};
  return {
    name,
    path,
    words,
    env: {
      ...strings(command.env),
      ...strings(entry.envs),
      ...strings(entry.environment),
      ...strings(entry.env),
    },
    ...(url !== undefined && { url }),
    headers: headersOf(entry),
    oauth: oauthOf(entry),
    unsupportedKeys: [...commandKeys, "envFile"].filter((key) => entry[key] !== undefined),
    isDisabled: entry.enabled === false || entry.disabled === true,
  };
}

function readSection(value: unknown, path: EntryPath): ClientEntry[] {
  const pairs: [string, unknown, string | number][] = Array.isArray(value)
    ? value.map((item, at) => [isEntry(item) ? String(item.name ?? "") : "", item, at])
    : isObject(value)
      ? Object.entries(value).map(([name, item]) => [name, item, name])
      : [];
  return pairs.flatMap(([name, item, key]) => readEntry(name, item, [...path, key]) ?? []);
}

/** Paths of the sections that hold servers, for all clients; `*` matches any key. */
const sections: readonly (readonly string[])[] = [
  ["mcpServers"],
  ["projects", "*", "mcpServers"],
  ["context_servers"],
  ["amp.mcpServers"],
  ["mcp_servers"],
  ["profiles", "*", "mcp_servers"],
  ["mcp", "servers"],
  ["mcp"],
  ["extensions"],
  ["servers"],
];

function sectionsAt(
  value: unknown,
  keys: readonly string[],
  path: EntryPath = [],
): [unknown, EntryPath][] {
  const [key, ...more] = keys;
  if (key === undefined) return [[value, path]];
  if (!isObject(value)) return [];
  const matches = key === "*" ? Object.keys(value) : Object.hasOwn(value, key) ? [key] : [];
  return matches.flatMap((each) => sectionsAt(value[each], more, [...path, each]));
}

/** All servers of a client's file, in the order of `sections`; without any section, the file itself is the map of servers. */
export function findEntries(value: unknown): ClientEntry[] {
  const found = sections
    .filter(([first, second]) => first !== "mcp" || second !== undefined || !hasServers(value))
    .flatMap((keys) => sectionsAt(value, keys))
    .flatMap(([section, path]) => readSection(section, path));
  return found.length > 0 ? found : readSection(value, []);
}

/** Whether the servers are in `mcp.servers`, opencode's second form, and not in `mcp`. */
function hasServers(value: unknown): boolean {
  return sectionsAt(value, ["mcp", "servers"]).some(([servers]) => isObject(servers));
}
