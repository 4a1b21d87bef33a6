import { isObject, type JsonObject } from "../../config/clients/document.ts";
import { configText } from "../../config/clients/variables.ts";
import type { Draft } from "./draft.ts";

// The command line of mcp-remote 0.15.1: URL [PORT] and options in any order.

const flags = [
  ...["--allow-http", "--debug", "--silent", "--enable-proxy", "--keep-alive", "--ipv4"],
  ...["--disable-cookies", "--device-code", "--client-credentials", "--use-id-token"],
  "--disable-resource-parameter",
];
const valued = [
  ...["--header", "--header-file", "--transport", "--protocol", "--host", "--callback-path"],
  ...["--auth-success-url", "--static-oauth-client-metadata", "--static-oauth-client-info"],
  ...["--client-metadata-url", "--token-endpoint", "--resource", "--authorize-param"],
  ...["--ignore-tool", "--auth-timeout", "--connect-timeout", "--headers-timeout"],
  ...["--body-timeout", "--ping-interval"],
];

/** Reads the file at a path from an option; undefined if it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

/** A parsed command line. */
interface Words {
  readonly positionals: string[];
  readonly flags: Set<string>;
  /** Each option's values, in order. */
  readonly values: Map<string, string[]>;
  /** Options that mcp-remote 0.15.1 does not have. */
  readonly unknown: string[];
}

function readWords(args: readonly string[]): Words {
  const words: Words = { positionals: [], flags: new Set(), values: new Map(), unknown: [] };
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (!word.startsWith("--")) {
      // URL and port; the value of an unknown option may follow them.
      words.positionals.push(word);
      continue;
    }
    const next = args[at + 1];
    if (flags.includes(word)) words.flags.add(word);
    else if (valued.includes(word) && next !== undefined) {
      words.values.set(word, [...(words.values.get(word) ?? []), next]);
      at++;
    } else {
      words.unknown.push(word);
      if (next !== undefined && !next.startsWith("--") && words.positionals.length > 0) at++;
    }
  }
  return words;
}

const headerLine = /^([A-Za-z0-9_-]+):\s*(.*)$/s;

function takeHeaders({ values }: Words, draft: Draft, readFile: ReadFile): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of values.get("--header") ?? []) {
    const match = headerLine.exec(line);
    if (match === null) draft.note("a --header that is not Name:value is left out");
    else headers.set(match[1]!, match[2]!);
  }
  for (const path of values.get("--header-file") ?? []) {
    const text = readFile(path);
    if (text === undefined) {
      draft.refuse(`its --header-file cannot be read: ${path}`);
      continue;
    }
    for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
      const match = line.startsWith("#") ? null : headerLine.exec(line);
      if (match !== null) headers.set(match[1]!, match[2]!);
    }
  }
  for (const [name, value] of headers) draft.header(name, value);
  return headers;
}

interface ClientInformation extends JsonObject {
  readonly client_id?: unknown;
  readonly client_secret?: unknown;
}

/** The JSON that an option carries inline or as `@file`. */
function jsonOption(
  words: Words,
  option: string,
  draft: Draft,
  readFile: ReadFile,
): ClientInformation | undefined {
  const text = words.values.get(option)?.[0];
  if (text === undefined) return undefined;
  const content = text.startsWith("@") ? readFile(text.slice(1)) : text;
  if (content === undefined) {
    draft.refuse(`the file of ${option} cannot be read: ${text.slice(1)}`);
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(content);
    if (isObject(value)) return value;
  } catch {
    // Handled below; JSON.parse's message is dropped because it quotes the text, which may hold a secret.
  }
  draft.refuse(`${option} is no JSON object`);
  return undefined;
}

function takeMetadata(words: Words, draft: Draft, readFile: ReadFile): void {
  const option = "--static-oauth-client-metadata";
  const metadata = jsonOption(words, option, draft, readFile);
  for (const [key, value] of Object.entries(metadata ?? {})) {
    if (key === "scope" && typeof value === "string") {
      draft.oauth({ scopes: value.split(/\s+/).filter((word) => word !== "") });
    } else if (key === "client_name" && typeof value === "string") {
      draft.oauth({ clientName: value });
    } else if (key === "token_endpoint_auth_method" && isClientAuth(value)) {
      draft.oauth({ clientAuth: value });
    } else draft.note(`${key} of ${option} will not carry over: the bridge registers with its own`);
  }
}

const clientAuths = [
  "none",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
] as const;
const isClientAuth = (value: unknown): value is (typeof clientAuths)[number] =>
  clientAuths.some((each) => each === value);

/** mcp-remote's default callback port, a hash of its settings; a registered client's redirect URI contains it. */
function derivedPort(url: string, words: Words, headers: ReadonlyMap<string, string>): number {
  const parts = [url];
  const firstValue = (option: string) => words.values.get(option)?.[0]?.trim();
  const resource = words.flags.has("--disable-resource-parameter") ? "" : firstValue("--resource");
  if (resource) parts.push(resource);
  for (const pairs of [authorizeParams(words), Object.fromEntries(headers)]) {
    const keys = Object.keys(pairs).toSorted();
    if (keys.length > 0) parts.push(JSON.stringify(pairs, keys));
  }
  for (const option of ["--client-metadata-url", "--token-endpoint"]) {
    const value = firstValue(option);
    if (value) parts.push(value);
  }
  const hash = new Bun.CryptoHasher("md5").update(parts.join("|")).digest("hex");
  return 3335 + (Number.parseInt(hash.slice(0, 4), 16) % 45_816);
}

function authorizeParams({ values }: Words): Record<string, string> {
  const pairs = (values.get("--authorize-param") ?? []).map((text) => {
    const at = text.indexOf("=");
    return [text.slice(0, Math.max(at, 0)).trim(), text.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs.filter(([key]) => key !== ""));
}

function takeOAuth(
  url: string,
  words: Words,
  draft: Draft,
  headers: ReadonlyMap<string, string>,
  readFile: ReadFile,
): void {
  const firstValue = (option: string) => words.values.get(option)?.[0];
  takeMetadata(words, draft, readFile);
  const info = jsonOption(words, "--static-oauth-client-info", draft, readFile);
  if (typeof info?.client_id === "string") {
    const secret = typeof info.client_secret === "string" ? info.client_secret : undefined;
    draft.client(info.client_id, secret);
    if (!words.flags.has("--client-credentials") && !words.flags.has("--device-code")) {
      const port =
        Number.parseInt(words.positionals[1] ?? "", 10) || derivedPort(url, words, headers);
      const path = firstValue("--callback-path") ?? "/oauth/callback";
      draft.oauth({ redirectUri: `http://${firstValue("--host") ?? "localhost"}:${port}${path}` });
    }
  }
  const resource = firstValue("--resource");
  if (words.flags.has("--disable-resource-parameter") || resource === "") {
    draft.oauth({ resource: false });
  } else if (resource !== undefined) draft.oauth({ resource: resource.trim() });
  const params = authorizeParams(words);
  if (Object.keys(params).length > 0) draft.oauth({ authorizeParams: params });
  const metadataUrl = firstValue("--client-metadata-url");
  if (metadataUrl !== undefined) draft.oauth({ clientMetadataUrl: metadataUrl.trim() });
  if (words.flags.has("--device-code")) draft.oauth({ grant: "device_code" });
  if (words.flags.has("--client-credentials")) draft.oauth({ grant: "client_credentials" });
}

const secondsOf = (text: string | undefined) => {
  const seconds = Number(text);
  return text === undefined || !Number.isFinite(seconds) || seconds < 0 ? undefined : seconds;
};

function takeTimeouts({ values, flags }: Words, { entry }: Draft): void {
  const secondsOption = (option: string) => secondsOf(values.get(option)?.[0]);
  const connect = secondsOption("--connect-timeout");
  if (connect) entry.connectTimeoutSec = Math.min(Math.max(connect, 0.1), 600);
  const waits = [secondsOption("--headers-timeout"), secondsOption("--body-timeout")].filter(
    (s) => s !== undefined,
  );
  // The bridge has one timeout for a whole call, 118 s by default and at most a day; mcp-remote's 0 means no timeout.
  const longest = Math.max(...waits.map((seconds) => (seconds === 0 ? 86_400 : seconds)), 0);
  if (longest > 118) entry.timeoutSec = Math.min(longest, 86_400);
  const ping = secondsOption("--ping-interval");
  if (ping || flags.has("--keep-alive")) entry.keepAliveSec = Math.min(ping || 30, 86_400);
  if (flags.has("--ipv4")) entry.network = { ...entry.network, ipFamily: 4 };
}

/** Handles the remaining options; refuses the draft if the user relies on one that config.json cannot express. */
function takeRest({ values, flags, unknown }: Words, draft: Draft): void {
  if (values.has("--ignore-tool")) {
    draft.refuse(
      "--ignore-tool hides tools, which config.json cannot do: the tools would be visible again",
    );
  }
  if (flags.has("--use-id-token")) {
    draft.refuse("--use-id-token sends the ID token, which the bridge never does");
  }
  if (values.has("--token-endpoint")) {
    draft.note("--token-endpoint will not carry over: the server's metadata names it");
  }
  if (flags.has("--disable-cookies")) draft.entry.cookies = false;
  const transport = values.get("--transport")?.[0];
  if (transport?.endsWith("-only")) {
    draft.note(`--transport ${transport} is not needed: the bridge detects the transport`);
  }
  for (const option of unknown) draft.note(`${option} is left out: mcp-remote does not know it`);
}

/** Converts mcp-remote's arguments to settings of the draft. */
export function takeMcpRemote(args: readonly string[], draft: Draft, readFile: ReadFile): void {
  const words = readWords(args);
  const at = words.positionals.findIndex((word) => /^https?:|^\$|^\{/i.test(word));
  const url = words.positionals[at];
  if (url === undefined) {
    draft.refuse("mcp-remote is started without a URL");
    return;
  }
  words.positionals.splice(0, at);
  draft.url(url);
  const headers = takeHeaders(words, draft, readFile);
  takeOAuth(configText(draft.resolve(url)), words, draft, headers, readFile);
  takeTimeouts(words, draft);
  takeRest(words, draft);
}
