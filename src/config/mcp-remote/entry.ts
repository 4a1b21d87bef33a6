// The arguments of mcp-remote as the entry of one server that config.json does not hold.

import type { Environment } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";
import { globProblem } from "../../wire/glob.ts";
import { requireVariable } from "../environment.ts";
import type { ServerEntry } from "../schema.ts";
import { serverUrlProblem } from "../server-url.ts";
import type { OAuthSettings } from "../settings.ts";
import {
  expand,
  headerNameProblem,
  headerValueProblem,
  mayBeSecret,
  urlProblem,
} from "../validators.ts";
import {
  authorizeParamsOf,
  clientMetadataOf,
  deniedTools,
  firstValue,
  headersOf,
  isClientMetadataUrl,
  jsonOption,
  needsRedirectUri,
  protocolOf,
  type ReadFile,
  readWords,
  redirectUriOf,
  refusedOption,
  secondsOf,
  storeKeyOf,
  takeUrl,
  timeoutsOf,
  type Words,
} from "./words.ts";

/** A server as the arguments of mcp-remote describe it. */
export interface DropIn {
  readonly entry: ServerEntry;
  /** One sentence for each argument that has no effect, or not the one that the user expects. */
  readonly warnings: readonly string[];
  /** Whether an argument holds a secret. */
  readonly holdsSecret: boolean;
  /** The transport to try first, if the arguments name one. */
  readonly transport: "http" | "sse" | undefined;
  /** How long a sign-in may take; undefined: as long as usual. */
  readonly signInWaitMs: number | undefined;
  /** mcp-remote's key for the files of this server. */
  readonly storeKey: string;
}

export interface DropInOptions {
  readonly env: Environment;
  readonly readFile: ReadFile;
}

type OAuthEntry = Partial<Omit<OAuthSettings, "store">>;

const usage = (message: string, hint?: string) =>
  new BridgeError("usage", message, hint === undefined ? {} : { hint });

/** Reads the arguments of mcp-remote. Throws `usage` or `configuration` for those that mcp-remote refuses, too, and for an unset variable. */
export function dropInOf(args: readonly string[], options: DropInOptions): DropIn {
  const words = readWords(args);
  const given = takeUrl(words);
  if (given === undefined)
    throw usage("the URL of an MCP server is missing", "give it first: https://host/path");
  // No request carries the fragment of a URL (RFC 9110 7.1).
  const url = given.replace(/#.*$/s, "");
  const allowHttp = words.flags.has("--allow-http");
  const problem = serverUrlProblem(url, allowHttp);
  if (problem !== undefined) throw new BridgeError("configuration", `the URL: ${problem}`);
  const warnings: string[] = [];
  const warn = (line: string) => void warnings.push(line);
  const headers = headersOf(words, options.readFile, (invalid) => {
    if ("line" in invalid) warn(`${invalid.line} that is not Name:value is left out`);
    else
      throw new BridgeError("configuration", `--header-file cannot be read: ${invalid.path}`, {
        hint: "give its absolute path: a client may start the bridge in any folder",
      });
  });
  const storeKey = storeKeyOf(given, words, headers);
  const sent = headersToSend(headers, warn);
  const auth = authOf(words, storeKey, options, warn);
  const hasAuthorization = Object.keys(sent).some((name) => name.toLowerCase() === "authorization");
  const hasAuth = Object.keys(auth).length > 0;
  if (hasAuth && hasAuthorization)
    warn("the OAuth options have no effect beside an Authorization header");
  const entry: ServerEntry = {
    url,
    ...(allowHttp && { allowHttp }),
    ...(Object.keys(sent).length > 0 && { headers: sent }),
    ...(hasAuth && !hasAuthorization && { auth: { type: "oauth", ...(auth as object) } }),
    ...timeoutsOf(words),
    ...(words.flags.has("--ipv4") && { network: { ipFamily: 4 } }),
    ...(words.flags.has("--disable-cookies") && { cookies: false }),
    ...protocolOf(words, warn),
    ...deniedOf(words),
  };
  const waitSec = secondsOf(words, "--auth-timeout");
  if (words.values.has("--auth-success-url"))
    warn("--auth-success-url has no effect: the bridge shows a page of its own");
  for (const option of words.unknown)
    warn(`${option} is no option of mcp-remote: it has no effect`);
  return {
    entry,
    warnings,
    holdsSecret: holdsSecret(words, url),
    transport: transportOf(words, warn),
    signInWaitMs: waitSec ? waitSec * 1000 : undefined,
    storeKey,
  };
}

/** The headers that the bridge sends; the last of names that differ only in case wins. */
function headersToSend(
  headers: ReadonlyMap<string, string>,
  warn: (line: string) => void,
): Record<string, string> {
  const sent = new Map<string, [string, string]>();
  for (const [name, text] of headers) {
    const value = text.trim();
    const problem = headerValueProblem(value);
    if (headerNameProblem(name) !== undefined)
      warn(`the header ${name} is left out: the bridge sets it`);
    else if (value === "") warn(`the header ${name} is left out: it is empty`);
    else if (problem !== undefined)
      throw new BridgeError("configuration", `the header ${name}: ${problem}`);
    else sent.set(name.toLowerCase(), [name, value]);
  }
  return Object.fromEntries(sent.values());
}

function deniedOf(words: Words): Pick<ServerEntry, "tools"> {
  const deny = deniedTools(words);
  const problem = deny.map(globProblem).find((each) => each !== undefined);
  if (problem !== undefined) throw usage(`--ignore-tool: ${problem}`);
  return deny.length === 0 ? {} : { tools: { deny } };
}

const transports = {
  "http-only": "http",
  "http-first": "http",
  "sse-only": "sse",
  "sse-first": "sse",
};

function transportOf(words: Words, warn: (line: string) => void): DropIn["transport"] {
  const strategy = firstValue(words, "--transport");
  if (strategy === undefined) return undefined;
  const known = Object.entries(transports).find(([name]) => name === strategy)?.[1];
  if (known === undefined)
    warn(`--transport is none of ${Object.keys(transports).join(", ")}: it has no effect`);
  return known as DropIn["transport"];
}

function authOf(
  words: Words,
  storeKey: string,
  { env, readFile }: DropInOptions,
  warn: (line: string) => void,
): OAuthEntry {
  const refused = refusedOption(words);
  if (refused !== undefined) throw usage(refused);
  const { flags } = words;
  const isMachine = flags.has("--client-credentials");
  const isDevice = flags.has("--device-code");
  const metadataOption = "--static-oauth-client-metadata";
  const metadata = clientMetadataOf(jsonOption(words, metadataOption, readFile) ?? {});
  for (const key of metadata.ignored)
    warn(`${key} of ${metadataOption} has no effect: the bridge registers with its own`);
  const client = clientOf(words, env, readFile);
  const metadataUrl = firstValue(words, "--client-metadata-url")?.trim();
  const isMetadataUrl = metadataUrl !== undefined && isClientMetadataUrl(metadataUrl);
  if (metadataUrl !== undefined && !isMetadataUrl)
    warn("--client-metadata-url is no https URL with a path: it has no effect");
  const path = firstValue(words, "--callback-path");
  if (path?.startsWith("/") === false)
    warn("--callback-path does not begin with /: it has no effect");
  // Otherwise mcp-remote's port has no meaning: the client is registered with the port that is free.
  const hasRedirect = needsRedirectUri(words, client.clientId !== undefined || isMetadataUrl);
  return {
    ...(isDevice && { grant: "device_code" }),
    ...(isMachine && { grant: "client_credentials" }),
    ...metadata.auth,
    ...client,
    ...(isMetadataUrl && { clientMetadataUrl: metadataUrl }),
    ...(hasRedirect && { redirectUri: redirectUriOf(words, storeKey) }),
    ...resourceOf(words),
    ...paramsOf(words),
    ...tokenEndpointOf(words),
    ...(flags.has("--use-id-token") && { useIdToken: true }),
  };
}

function clientOf(
  words: Words,
  env: Environment,
  readFile: ReadFile,
): Pick<OAuthEntry, "clientId" | "clientSecret"> {
  const option = "--static-oauth-client-info";
  const info = jsonOption(words, option, readFile);
  if (info === undefined) return {};
  const { client_id: id, client_secret: secret } = info;
  if (typeof id !== "string" || id === "")
    throw new BridgeError("configuration", `${option} names no client_id`);
  const missing = (variable: string) => requireVariable(env, variable, option);
  const full = (text: string) => expand(text, env, missing);
  return {
    clientId: full(id),
    ...(typeof secret === "string" && secret !== "" && { clientSecret: full(secret) }),
  };
}

function resourceOf(words: Words): Pick<OAuthEntry, "resource"> {
  const resource = firstValue(words, "--resource")?.trim();
  if (words.flags.has("--disable-resource-parameter") || resource === "")
    return { resource: false };
  if (resource === undefined) return {};
  return { resource };
}

function paramsOf(words: Words): Pick<OAuthEntry, "authorizeParams"> {
  const values = words.values.get("--authorize-param") ?? [];
  return values.length === 0 ? {} : { authorizeParams: authorizeParamsOf(words) };
}

function tokenEndpointOf(words: Words): Pick<OAuthEntry, "tokenEndpoint"> {
  const tokenEndpoint = firstValue(words, "--token-endpoint")?.trim();
  if (tokenEndpoint === undefined) return {};
  if (!words.flags.has("--client-credentials"))
    throw usage("--token-endpoint needs --client-credentials");
  const problem = urlProblem(tokenEndpoint);
  if (problem !== undefined) throw usage(`--token-endpoint: ${problem}`);
  return { tokenEndpoint };
}

/** Whether an argument itself holds a secret, which other users of the machine can read. */
function holdsSecret(words: Words, url: string): boolean {
  const lines = words.values.get("--header") ?? [];
  const headers = lines.map((line) => line.split(/:(.*)/s, 2) as [string, string]);
  const info = firstValue(words, "--static-oauth-client-info") ?? "@";
  const query = [...new URLSearchParams(url.split(/\?(.*)/s, 2)[1] ?? "")];
  return (
    [...headers, ...query].some(([name, value = ""]) => mayBeSecret(name, value.trim())) ||
    (!info.startsWith("@") && /"client_secret"\s*:\s*"(?!\$\{)/.test(info))
  );
}
