import { splitWords } from "../../wire/text.ts";
import { isObject, type JsonObject } from "./document.ts";

/** The keys and list places that lead to a value. */
export type EntryPath = readonly (string | number)[];

/** A registered OAuth client as clients write it. */
export interface OAuthClientEntry extends JsonObject {
  readonly scopes?: unknown;
  readonly scope?: unknown;
  readonly callbackPort?: unknown;
  readonly callback_port?: unknown;
}

/** One server of a client's configuration, read out of whatever shape it has. */
export interface ClientEntry {
  readonly name: string;
  readonly path: EntryPath;
  /** The program and its arguments; empty where the entry starts none. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A registered OAuth client, in any client's words. */
  readonly oauth: OAuthClientEntry;
  /** Keys whose function is lost with the entry: commands that print headers, files of variables. */
  readonly lost: readonly string[];
  readonly isOff: boolean;
}

/** The keys that entries of the various clients have. */
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

/** Streamable HTTP's key stands first: Gemini CLI takes it where both are there. */
const urlKeys = ["httpUrl", "serverUrl", "url", "baseUrl", "base_url", "uri"];
const bearerVariableKeys = ["bearer_token_env_var", "bearerTokenEnv", "bearer_token_env"];
const commandKeys = ["headersHelper", "http_headers_helper", "headersCommand"];

function wordsOf(command: unknown, args: unknown): string[] {
  const more = Array.isArray(args) ? args.filter((word) => typeof word === "string") : [];
  if (Array.isArray(command)) return [...command.filter((w) => typeof w === "string"), ...more];
  // Zed wrote the program as an object once.
  if (isEntry(command)) return wordsOf(command.path ?? command.command, command.args ?? args);
  if (typeof command !== "string" || command.trim() === "") return [];
  // A whole command line in one string, which most clients refuse and some start by a shell.
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
  // mcporter's keys stand in the entry itself, Codex's partly.
  for (const [key, value] of Object.entries(entry)) {
    if (/^oauth[A-Z_]/.test(key)) flat[key.replace(/^oauth_?/, "")] = value;
  }
  return {
    ...flat,
    ...(Array.isArray(entry.scopes) && { scopes: entry.scopes }),
    ...nested,
  };
}

/** Reads one entry; undefined where it is none of a server. */
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
    lost: [...commandKeys, "envFile"].filter((key) => entry[key] !== undefined),
    isOff: entry.enabled === false || entry.disabled === true,
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

/** The sections of every client's file that hold servers; `*` stands for any key. */
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
  const found = key === "*" ? Object.keys(value) : Object.hasOwn(value, key) ? [key] : [];
  return found.flatMap((each) => sectionsAt(value[each], more, [...path, each]));
}

/** Every server of a client's file, in the order of its sections; also of a bare map of servers. */
export function findEntries(value: unknown): ClientEntry[] {
  const found = sections
    .filter(([first, second]) => first !== "mcp" || second !== undefined || !hasServers(value))
    .flatMap((keys) => sectionsAt(value, keys))
    .flatMap(([section, path]) => readSection(section, path));
  return found.length > 0 ? found : readSection(value, []);
}

/** opencode's second form: `mcp.servers` in place of `mcp`. */
function hasServers(value: unknown): boolean {
  return sectionsAt(value, ["mcp", "servers"]).some(([servers]) => isObject(servers));
}
