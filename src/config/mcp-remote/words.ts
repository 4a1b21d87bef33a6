// The command line of mcp-remote 0.15.1: URL [PORT] and options in any order. `import` and the drop-in read it.

import { BridgeError } from "../../wire/errors.ts";
import type { OAuthSettings } from "../settings.ts";

const flags: readonly string[] = [
  ...["--allow-http", "--debug", "--silent", "--enable-proxy", "--keep-alive", "--ipv4"],
  ...["--disable-cookies", "--device-code", "--client-credentials", "--use-id-token"],
  "--disable-resource-parameter",
];
const valued: readonly string[] = [
  ...["--header", "--header-file", "--transport", "--protocol", "--host", "--callback-path"],
  ...["--auth-success-url", "--static-oauth-client-metadata", "--static-oauth-client-info"],
  ...["--client-metadata-url", "--token-endpoint", "--resource", "--authorize-param"],
  ...["--ignore-tool", "--auth-timeout", "--connect-timeout", "--headers-timeout"],
  ...["--body-timeout", "--ping-interval"],
];

/** Flags of launchers, which a client's entry keeps when this executable takes the launcher's place. */
const launcherFlags: readonly string[] = ["-y", "-q"];

/** Reads the file at a path from an option; undefined if it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

/** A parsed command line. */
export interface Words {
  readonly positionals: string[];
  readonly flags: Set<string>;
  /** Each option's values, in order. */
  readonly values: Map<string, string[]>;
  /** Options that mcp-remote 0.15.1 does not have. */
  readonly unknown: string[];
}

/** Whether an option of mcp-remote takes the next word as its value. */
export function takesValue(option: string): boolean {
  return valued.includes(option);
}

/** Splits the arguments. Other than mcp-remote, also reads `--option=value` and words that another program has quoted twice. */
export function readWords(args: readonly string[]): Words {
  const words: Words = { positionals: [], flags: new Set(), values: new Map(), unknown: [] };
  for (let at = 0; at < args.length; at++) {
    const word = unquoted(args[at]!);
    if (!/^-[^-]|^--./.test(word) || launcherFlags.includes(word)) {
      // URL and port; the value of an unknown option may follow them.
      words.positionals.push(word);
      continue;
    }
    const next = args[at + 1];
    const equals = word.indexOf("=");
    const option = equals < 0 ? word : word.slice(0, equals);
    if (flags.includes(option)) words.flags.add(option);
    else if (valued.includes(option) && (equals > 0 || next !== undefined)) {
      const value = equals > 0 ? word.slice(equals + 1) : next!;
      words.values.set(option, [...(words.values.get(option) ?? []), unquoted(value)]);
      if (equals < 0) at++;
    } else {
      words.unknown.push(option);
      const hasValue = next !== undefined && !next.startsWith("--");
      if (equals < 0 && hasValue && words.positionals.length > 0) at++;
    }
  }
  return words;
}

/** A word without the quotes around it: cmd.exe passes single quotes on, some clients pass double ones. */
function unquoted(word: string): string {
  const first = word[0];
  const isQuoted = word.length > 1 && (first === '"' || first === "'") && word.endsWith(first);
  return isQuoted ? word.slice(1, -1) : word;
}

/** The number of words that are neither the URL, which takeUrl() found, nor a port. */
export function surplusWords({ positionals: [, port, ...more] }: Words): number {
  return more.length + (port === undefined || /^\d+$/.test(port) ? 0 : 1);
}

/** The first value of an option. */
export function firstValue({ values }: Words, option: string): string | undefined {
  return values.get(option)?.[0];
}

/** Takes the URL out of the positional words, so that the port is the second of them; undefined without a URL. */
export function takeUrl({ positionals }: Words): string | undefined {
  const at = positionals.findIndex((word) => /^\s*(https?:|\$|\{)/i.test(word));
  const url = positionals[at];
  if (url !== undefined) positionals.splice(0, at);
  return url?.trim();
}

const headerLine = /^([A-Za-z0-9_-]+):\s*(.*)$/s;

/** The headers of `--header` and `--header-file`; the last of equal names wins. `onInvalid` is called for a line that is no header, and with the path of a file that cannot be read. */
export function headersOf(
  { values }: Words,
  readFile: ReadFile,
  onInvalid: (problem: { readonly line: string } | { readonly path: string }) => void,
): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of values.get("--header") ?? []) {
    const match = headerLine.exec(line);
    if (match === null) onInvalid({ line: "a --header" });
    else headers.set(match[1]!, match[2]!);
  }
  for (const path of values.get("--header-file") ?? []) {
    const text = readFile(path);
    if (text === undefined) {
      onInvalid({ path });
      continue;
    }
    for (const [at, line] of text.split(/\r?\n/).entries()) {
      const trimmed = line.trim();
      if (trimmed === "" || trimmed.startsWith("#")) continue;
      const match = headerLine.exec(trimmed);
      if (match === null) onInvalid({ line: `line ${at + 1} of the --header-file` });
      else headers.set(match[1]!, match[2]!);
    }
  }
  return headers;
}

/** A JSON object, as two options carry it inline or as `@file`; undefined if the option is missing. Throws `configuration`, without the text, which may hold a secret. */
export function jsonOption(
  words: Words,
  option: string,
  readFile: ReadFile,
): Readonly<Record<string, unknown>> | undefined {
  const text = firstValue(words, option);
  if (text === undefined) return undefined;
  const content = text.startsWith("@") ? readFile(text.slice(1)) : text;
  if (content === undefined) {
    throw new BridgeError(
      "configuration",
      `the file of ${option} cannot be read: ${text.slice(1)}`,
      { hint: "give its absolute path: a client may start the bridge in any folder" },
    );
  }
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // JSON.parse's message quotes the text.
  }
  throw new BridgeError("configuration", `${option} is no JSON object`);
}

/** The parameters of `--authorize-param`; a pair without a name is left out. */
export function authorizeParamsOf({ values }: Words): Record<string, string> {
  const pairs = (values.get("--authorize-param") ?? []).map((text) => {
    const at = text.indexOf("=");
    return [text.slice(0, Math.max(at, 0)).trim(), text.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs.filter(([key]) => key !== ""));
}

/** Parameters of the authorization request that the flow itself sets. */
const reservedParams: readonly string[] = [
  ...["client_id", "redirect_uri", "response_type", "state"],
  ...["code_challenge", "code_challenge_method"],
];

/** Why mcp-remote refuses an option's value; undefined if it does not. */
export function refusedOption(words: Words): string | undefined {
  const resource = firstValue(words, "--resource")?.trim();
  const isUsed = resource && !words.flags.has("--disable-resource-parameter");
  if (isUsed && URL.parse(resource) === null) return "--resource is no absolute URI";
  if ((words.values.get("--authorize-param") ?? []).some((text) => text.indexOf("=") < 1))
    return "--authorize-param is no key=value";
  const reserved = Object.keys(authorizeParamsOf(words)).find((key) =>
    reservedParams.includes(key),
  );
  return reserved === undefined
    ? undefined
    : `--authorize-param cannot set ${reserved}: the sign-in itself sets it`;
}

/** mcp-remote's key of a server: a hash of its settings, `headers` as they stand on the command line. Its default callback port and the names of its files are made of it. */
export function storeKeyOf(
  url: string,
  words: Words,
  headers: ReadonlyMap<string, string>,
): string {
  const parts = [url];
  const trimmed = (option: string) => firstValue(words, option)?.trim();
  const resource = words.flags.has("--disable-resource-parameter") ? "" : trimmed("--resource");
  if (resource) parts.push(resource);
  for (const pairs of [authorizeParamsOf(words), Object.fromEntries(headers)]) {
    const keys = Object.keys(pairs).toSorted();
    if (keys.length > 0) parts.push(JSON.stringify(pairs, keys));
  }
  const metadataUrl = trimmed("--client-metadata-url");
  if (metadataUrl && isClientMetadataUrl(metadataUrl)) parts.push(metadataUrl);
  const tokenEndpoint = URL.parse(trimmed("--token-endpoint") ?? "")?.href;
  if (tokenEndpoint) parts.push(tokenEndpoint);
  return new Bun.CryptoHasher("md5").update(parts.join("|")).digest("hex");
}

/** Whether a client metadata document may have this URL: https, with a path. */
export function isClientMetadataUrl(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.pathname !== "/";
}

/** Whether a sign-in must use mcp-remote's redirect URI: a port or an option asks for it, or the client is registered with it. */
export function needsRedirectUri(
  { positionals, flags, values }: Words,
  isRegistered: boolean,
): boolean {
  if (flags.has("--client-credentials") || flags.has("--device-code")) return false;
  const hasPort = Number.parseInt(positionals[1] ?? "", 10) > 0;
  const hasOption = ["--host", "--callback-path"].some((option) => values.has(option));
  return isRegistered || hasPort || hasOption;
}

/** The redirect URI that mcp-remote uses for a server: its port is given, or derived from the key. */
export function redirectUriOf(words: Words, storeKey: string): string {
  const derived = 3335 + (Number.parseInt(storeKey.slice(0, 4), 16) % 45_816);
  const port = Number.parseInt(words.positionals[1] ?? "", 10) || derived;
  const path = firstValue(words, "--callback-path");
  const host =
    firstValue(words, "--host") ?? (process.platform === "win32" ? "127.0.0.1" : "localhost");
  return `http://${host}:${port}${path?.startsWith("/") ? path : "/oauth/callback"}`;
}

/** The `protocol` of a server's entry that `--protocol` asks for; `onInvalid` is called for a value that has no effect. */
export function protocolOf(
  words: Words,
  onInvalid: (problem: string) => void,
): { protocol?: "session" } {
  const mode = firstValue(words, "--protocol");
  if (mode === "legacy") return { protocol: "session" };
  if (mode !== undefined && mode !== "auto")
    onInvalid("--protocol is neither legacy nor auto: it has no effect");
  return {};
}

/** The patterns of `--ignore-tool` as globs. In mcp-remote's patterns `*` is the only special character; case is ignored, as in `tools.deny`. */
export function deniedTools({ values }: Words): string[] {
  const patterns = (values.get("--ignore-tool") ?? []).filter((pattern) => pattern !== "");
  return patterns.map((pattern) => pattern.replace(/[?[\]{},\\]/g, "\\$&"));
}

/** The seconds of an option; undefined if it is missing or no number that counts. */
export function secondsOf(words: Words, option: string): number | undefined {
  const text = firstValue(words, option);
  const seconds = Number(text);
  return text === undefined || !Number.isFinite(seconds) || seconds < 0 ? undefined : seconds;
}

/** The time limits of a server's entry that the options ask for. The bridge has one timeout for a whole call, 118 s by default and at most a day; mcp-remote's 0 means no timeout. */
export function timeoutsOf(words: Words): {
  connectTimeoutSec?: number;
  timeoutSec?: number;
  keepAliveSec?: number;
} {
  const connect = secondsOf(words, "--connect-timeout");
  const waits = ["--headers-timeout", "--body-timeout"]
    .map((option) => secondsOf(words, option))
    .filter((seconds) => seconds !== undefined);
  const longest = Math.max(...waits.map((seconds) => (seconds === 0 ? 86_400 : seconds)), 0);
  const ping = secondsOf(words, "--ping-interval");
  return {
    ...(connect && { connectTimeoutSec: Math.min(Math.max(connect, 0.1), 600) }),
    ...(longest > 118 && { timeoutSec: Math.min(longest, 86_400) }),
    ...((ping || words.flags.has("--keep-alive")) && {
      keepAliveSec: Math.min(ping || 30, 86_400),
    }),
  };
}

/** The methods of client authentication at a token endpoint that `auth.clientAuth` takes. */
export const clientAuths = [
  "none",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
] as const;

/** The settings of `auth` that `--static-oauth-client-metadata` names, and its other members, which have no effect. */
export function clientMetadataOf(metadata: Readonly<Record<string, unknown>>): {
  readonly auth: Pick<OAuthSettings, "scopes" | "clientName" | "clientAuth">;
  readonly ignored: readonly string[];
} {
  const { scope, client_name: clientName, token_endpoint_auth_method: method, ...rest } = metadata;
  const clientAuth = clientAuths.find((each) => each === method);
  return {
    auth: {
      ...(typeof scope === "string" && {
        scopes: scope.split(/\s+/).filter((word) => word !== ""),
      }),
      ...(typeof clientName === "string" && { clientName }),
      ...(clientAuth !== undefined && { clientAuth }),
    },
    ignored: Object.keys(rest),
  };
}
