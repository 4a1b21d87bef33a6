import { splitWords } from "../../wire/text.ts";
import { isObject, type JsonObject } from "./document.ts";

/** The keys and array indexes from the file's root to a value. */
export type EntryPath = readonly (string | number)[];

/** A server in a client's configuration, in one form for all clients. */
export interface ClientEntry {
  readonly name: string;
  readonly path: EntryPath;
  /** The entry as it stands in the file. */
  readonly value: JsonObject;
  /** The program and its arguments; empty if the entry has a URL instead. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** OAuth settings, with the keys of the client that owns the file; `enabled: false` if the client must not sign in. */
  readonly oauth: JsonObject;
  /** Keys that cannot be imported: commands that print headers, files of variables, and keys that no table here knows. */
  readonly unsupportedKeys: readonly string[];
  /** Keys by which the client hides tools. */
  readonly toolFilters: readonly string[];
  readonly isDisabled: boolean;
}

const strings = (value: unknown): Record<string, string> => {
  if (!isObject(value)) return {};
  const pairs = Object.entries(value).filter(([, item]) =>
    ["string", "number", "boolean"].includes(typeof item),
  );
  return Object.fromEntries(pairs.map(([key, item]) => [key, String(item)]));
};

/** A key as all clients would write it: `server_url`, `serverUrl` and `serverURL` are one key. */
export const plainKey = (key: string) => key.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The value of the first key that the entry has. */
function fieldOf(entry: JsonObject, keys: readonly string[]): unknown {
  for (const wanted of keys) {
    const key = Object.keys(entry).find((each) => plainKey(each) === wanted);
    if (key !== undefined && entry[key] !== null && entry[key] !== "") return entry[key];
  }
  return undefined;
}

function textOf(entry: JsonObject, keys: readonly string[]): string | undefined {
  const value = fieldOf(entry, keys);
  return typeof value === "string" ? value : undefined;
}

/** `httpurl` is first because Gemini CLI prefers it to `url`. */
const urlKeys = ["httpurl", "serverurl", "url", "baseurl", "uri", "endpoint", "tcp"];
const bearerVariableKeys = ["bearertokenenvvar", "bearertokenenv"];
const bearerKeys = ["bearertoken", "authorizationtoken", "authtoken", "apikey"];
const headerKeys = ["headers", "httpheaders", "envhttpheaders", "requestoptions", "requestinit"];
const commandKeys = ["headershelper", "httpheadershelper", "headerscommand"];
const providerKeys = ["authprovidertype", "targetaudience", "targetserviceaccount"];
/** Values of `auth` that are no token. */
const authWords = /^(oauth|none|chatgpt|ema_auth|bearer|basic)$/i;

/** Whether a key of an entry describes the remote server: it has no meaning beside a command. */
export function isRemoteKey(key: string): boolean {
  const plain = plainKey(key);
  const all = [urlKeys, bearerVariableKeys, bearerKeys, headerKeys, commandKeys, providerKeys];
  return (
    all.some((keys) => keys.includes(plain)) ||
    ["auth", "scopes", "transporttype"].includes(plain) ||
    plain.startsWith("oauth")
  );
}

/** Keys of an entry that are read here, or have a meaning for its client alone. */
const ownKeys: readonly string[] = [
  ...[...urlKeys, ...bearerVariableKeys, ...bearerKeys, ...headerKeys],
  ...["name", "command", "cmd", "args", "env", "envs", "envkeys", "envvars", "environment", "cwd"],
  ...[
    "type",
    "transport",
    "transporttype",
    "source",
    "settings",
    "enabled",
    "disabled",
    "isactive",
  ],
  ...["description", "trust", "alwaysallow", "autoapprove", "required", "bundled", "id", "version"],
  ...["defaulttoolsapprovalmode", "supportsparalleltoolcalls", "startupreadiness", "alwaysload"],
  ...[
    "displayname",
    "isdefaultserver",
    "gallery",
    "serverinstructions",
    "lifecycle",
    "uses",
    "with",
  ],
];
const toolFilter = /^(include|exclude|enabled|disabled|allowed|blocked|available)?tools$/;

/** Whether a filter's value hides tools: `["*"]` and an empty list do not. */
function hidesTools(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value[0] !== "*";
  return isObject(value) && Object.keys(value).some((key) => /^(include|exclude)$/.test(key));
}

/** Headers and variables of an entry in a form that no client is known to write: a list, or a value that is no text. */
function unreadableIn(entry: JsonObject): string[] {
  return ["headers", "httpheaders", "envhttpheaders", "env", "envs", "environment"].flatMap(
    (key) => {
      const value = fieldOf(entry, [key]);
      if (value === undefined) return [];
      if (!isObject(value)) return [key];
      const isLost = (item: unknown) => typeof item === "object" && item !== null;
      return Object.keys(value)
        .filter((name) => isLost(value[name]))
        .map((name) => `${key}.${name}`);
    },
  );
}

/** The keys of an entry that are not read, in the order of the entry. */
function unsupportedOf(entry: JsonObject): string[] {
  const keys = Object.keys(entry).filter((key) => {
    const plain = plainKey(key);
    const isKnown =
      ownKeys.includes(plain) ||
      toolFilter.test(plain) ||
      /timeout/.test(plain) ||
      ["oauth", "auth", "scopes"].includes(plain) ||
      /^oauth[a-z]/.test(plain);
    return !isKnown && entry[key] !== null;
  });
  const { auth } = entry as { auth?: unknown };
  const isForeign = typeof auth === "string" && /^(chatgpt|ema_auth)$/.test(auth);
  const options = fieldOf(entry, ["requestoptions"]);
  const others = Object.keys(isObject(options) ? options : {})
    .filter((key) => key !== "headers" && !/timeout/.test(plainKey(key)))
    .map((key) => `requestOptions.${key}`);
  return [...keys, ...(isForeign ? ["auth"] : []), ...others, ...unreadableIn(entry)];
}

/** The texts in a list; a port may be a number. */
const texts = (list: unknown): string[] =>
  Array.isArray(list)
    ? list.filter((word) => ["string", "number"].includes(typeof word)).map(String)
    : [];

function wordsOf(command: unknown, args: unknown): string[] {
  const more = typeof args === "string" ? splitWords(args) : texts(args);
  if (Array.isArray(command)) return [...texts(command), ...more];
  // Old versions of Zed wrote the program as an object.
  if (isObject(command)) {
    const { path, command: program, args: own } = command as Record<string, unknown>;
    return wordsOf(path ?? program, own ?? args);
  }
  if (typeof command !== "string" || command.trim() === "") return [];
  // Some clients start a command line in one string by a shell; most refuse it.
  if (more.length === 0 && /\s\S*:\/\//.test(command)) return splitWords(command);
  return [command, ...more];
}

function headersOf(entry: JsonObject): Record<string, string> {
  const nested = ["requestoptions", "requestinit"].map((key) => fieldOf(entry, [key]));
  const headers: { [name: string]: string; Authorization?: string } = Object.assign(
    {},
    ...nested.map((value) => strings(isObject(value) ? fieldOf(value, ["headers"]) : undefined)),
    strings(fieldOf(entry, ["httpheaders"])),
    strings(fieldOf(entry, ["headers"])),
  );
  for (const [header, variable] of Object.entries(strings(fieldOf(entry, ["envhttpheaders"])))) {
    headers[header] = `\${${variable}}`;
  }
  const variable = textOf(entry, bearerVariableKeys);
  const auth = textOf(entry, ["auth"]);
  const token =
    textOf(entry, bearerKeys) ?? (auth === undefined || authWords.test(auth) ? undefined : auth);
  if (variable !== undefined) headers.Authorization = `Bearer \${${variable}}`;
  else if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  return headers;
}

function oauthOf(entry: JsonObject): JsonObject {
  const { oauth, auth, scopes } = entry as Readonly<Record<"oauth" | "auth" | "scopes", unknown>>;
  const nested = [oauth, auth].find(isObject) ?? {};
  const flat: Record<string, unknown> = {};
  // mcporter, Copilot CLI, and in part Codex, write OAuth settings in the entry itself: `oauthClientId`, `oauth_resource`.
  for (const [key, value] of Object.entries(entry)) {
    if (/^oauth[A-Z_]/.test(key)) flat[key.replace(/^oauth_?/, "")] = value;
  }
  return {
    ...(oauth === false && { enabled: false }),
    ...flat,
    ...(Array.isArray(scopes) && { scopes }),
    ...nested,
  };
}

/** Reads one entry; undefined if it has neither a command nor a URL. */
function readEntry(name: string, value: unknown, path: EntryPath): ClientEntry | undefined {
  if (!isObject(value)) return undefined;
  const { transport } = value as { transport?: unknown };
  const entry = isObject(transport) ? { ...value, ...transport } : value;
  const program = fieldOf(entry, ["command", "cmd"]);
  const words = wordsOf(program, fieldOf(entry, ["args"]));
  const url = textOf(entry, urlKeys);
  if (words.length === 0 && url === undefined) return undefined;
  const envs = ["envs", "environment", "env"].map((key) => strings(fieldOf(entry, [key])));
  return {
    name,
    path,
    value,
    words,
    env: Object.assign(
      {},
      strings(isObject(program) ? fieldOf(program, ["env"]) : undefined),
      ...envs,
    ),
    ...(url !== undefined && { url }),
    headers: headersOf(entry),
    oauth: oauthOf(entry),
    unsupportedKeys: unsupportedOf(entry),
    toolFilters: Object.keys(entry).filter(
      (key) => toolFilter.test(plainKey(key)) && hidesTools(entry[key]),
    ),
    isDisabled:
      fieldOf(entry, ["enabled", "isactive"]) === false || fieldOf(entry, ["disabled"]) === true,
  };
}

function readSection(value: unknown, path: EntryPath): ClientEntry[] {
  const pairs: [string, unknown, string | number][] = Array.isArray(value)
    ? value.map((item, at) => [isObject(item) ? (textOf(item, ["name"]) ?? "") : "", item, at])
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
  // VS Code's workspaces and development containers, Continue's former configuration.
  ["settings", "mcp", "servers"],
  ["customizations", "vscode", "mcp", "servers"],
  ["experimental", "modelContextProtocolServers"],
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
