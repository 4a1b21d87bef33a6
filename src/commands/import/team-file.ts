import { isObject, type JsonObject } from "../../config/clients/document.ts";
import { configText, templateOf } from "../../config/clients/variables.ts";
import type { ServerEntry } from "../../config/schema.ts";
import {
  machineKeys,
  teamAuthKeys,
  teamCodexKeys,
  teamFormat,
  teamNetworkKeys,
} from "../../config/team-schema.ts";
import { expand, looksSecret, namesSecret } from "../../config/validators.ts";
import { cleanText, nameWithCodePoints } from "../../wire/text.ts";
import { type ApprovedHash, Draft } from "./draft.ts";
import type { Found } from "./plan.ts";
import type { Source } from "./sources.ts";

// `export` prints a team file: the servers of config.json, with a variable's name in place of each secret.

interface TeamFile extends JsonObject {
  readonly format?: unknown;
  readonly version?: unknown;
  readonly servers?: unknown;
}

const isFile = (value: unknown): value is TeamFile => isObject(value);

/** Whether a value is a team file. */
export function isTeamFile(value: unknown): boolean {
  return isFile(value) && value.format === teamFormat;
}

/** Members of a server that only config.json has. */
const ownMembers = ["token", "tokenEnv", "tokenFile", "tokenCommand", "headersCommand"];

/** Whether a value is the content of a config.json, whose credentials no client's entry could hold. */
export function isOwnConfiguration(value: unknown): boolean {
  if (!isFile(value) || isTeamFile(value) || !isObject(value.servers)) return false;
  return Object.values(value.servers).some(
    (server) => isObject(server) && ownMembers.some((member) => Object.hasOwn(server, member)),
  );
}

/** Converts the servers of a team file; `answers` holds the user's values of missing variables. */
export function teamEntries(source: Source, answers: ReadonlyMap<string, string>): Found[] {
  const { servers, version } = source.value as TeamFile;
  const pairs = isObject(servers) ? Object.entries(servers) : [];
  return pairs.map(([name, value]) => {
    const draft = new Draft(Object.fromEntries(answers));
    if (version !== 1) draft.refuse("the version of the team file is not 1");
    else if (isObject(value)) takeTeamEntry(value, draft);
    else draft.refuse("it is not a JSON object");
    const entry = { name, path: ["servers", name], words: [], env: {}, headers: {}, oauth: {} };
    return {
      source,
      entry: { ...entry, value: {}, unsupportedKeys: [], toolFilters: [], isDisabled: false },
      outcome: { kind: "server", draft },
    };
  });
}

interface TeamEntry extends JsonObject {
  readonly url?: unknown;
  readonly tokenEnv?: unknown;
  readonly headers?: unknown;
  readonly auth?: unknown;
  readonly network?: unknown;
  readonly codex?: unknown;
  readonly approved?: unknown;
}
type TeamEntryDraft = { -readonly [K in keyof TeamEntry]: TeamEntry[K] };

/** The keys of an object that are not in `allowed`. */
const keysBeyond = (allowed: readonly string[], value: unknown) =>
  isObject(value) ? Object.keys(value).filter((key) => !allowed.includes(key)) : [];

function takeTeamEntry(value: TeamEntry, draft: Draft): void {
  const { url, tokenEnv, headers, auth, approved, ...rest } = value;
  const foreign = [
    ...machineKeys.filter((key) => Object.hasOwn(value, key)),
    ...keysBeyond(teamAuthKeys, auth).map((key) => `auth.${key}`),
    ...keysBeyond(teamNetworkKeys, rest.network).map((key) => `network.${key}`),
    ...keysBeyond(teamCodexKeys, rest.codex).map((key) => `codex.${key}`),
  ];
  if (foreign.length > 0) {
    draft.refuse(`a team file must not contain ${foreign.join(", ")}`);
    return;
  }
  const { clientSecretEnv, assertionEnv } = (isObject(auth) ? auth : {}) as TeamAuth;
  const named = [tokenEnv, clientSecretEnv, assertionEnv].filter(
    (variable) => typeof variable === "string",
  );
  draft.ask(url, headers, ...named.map((variable) => `\${${variable}}`));
  if (typeof url === "string") draft.url(url, "a team file cannot allow that: add it by setup");
  else draft.refuse("it has no url");
  if (typeof tokenEnv === "string") draft.token(draft.resolve(`\${${tokenEnv}}`));
  for (const [name, text] of Object.entries(isObject(headers) ? headers : {})) {
    if (typeof text === "string") draft.header(name, text);
  }
  if (isObject(auth)) takeAuth(auth, draft);
  if (approved !== undefined) takeApproved(approved, draft);
  // Unchecked here: makePlan validates the whole entry against the config schema.
  Object.assign(draft.entry, rest);
}

const isHash = (value: unknown): value is ApprovedHash =>
  isObject(value) &&
  typeof (value as Partial<ApprovedHash>).name === "string" &&
  /^[0-9a-f]{64}$/.test(String((value as Partial<ApprovedHash>).hash)) &&
  Object.keys(value).length === 2;

function takeApproved(value: unknown, draft: Draft): void {
  if (!Array.isArray(value) || !value.every(isHash)) {
    draft.refuse('approved: expected a list of tools, each with "name" and "hash"');
    return;
  }
  draft.approved = value;
  const tools = value.map(({ name }) => nameWithCodePoints(name)).join(", ");
  draft.note(`its team approved these tools: ${cleanText(tools, 500)}`);
}

interface TeamAuth extends JsonObject {
  readonly clientSecretEnv?: unknown;
  readonly assertionEnv?: unknown;
}

function takeAuth(value: TeamAuth, draft: Draft): void {
  const { clientSecretEnv, ...auth } = value;
  draft.entry.auth = auth as NonNullable<ServerEntry["auth"]>;
  if (typeof clientSecretEnv !== "string") return;
  const secret = configText(draft.resolve(`\${${clientSecretEnv}}`));
  const isUnresolved = templateOf(secret).some((part) => typeof part === "object");
  draft.oauth(isUnresolved ? { clientSecretEnv } : { clientSecret: secret });
}

/** A server's entry for a team file, the variables in place of its secrets, and a note for each key left out. */
export interface Exported {
  readonly entry: object;
  readonly variables: readonly string[];
  readonly notes: readonly string[];
}

const variableName = (server: string, secret: string) =>
  `${server}_${secret}`.toUpperCase().replace(/[^A-Z0-9]+/g, "_");

/** Replaces every secret of a server's entry by a variable, and leaves out keys that belong to this machine. */
export function exportEntry(name: string, entry: ServerEntry): Exported {
  const { token, access_token, tokenFile, tokenCommand, headers, auth, network, ...rest } = entry;
  const { headersCommand, codex, audit, ...plain } = rest;
  const variables: string[] = [];
  const notes: string[] = [];
  const prefix = /^[0-9]/.test(name) ? `MCP_${name}` : name;
  const variable = (secret: string) => {
    const name = variableName(prefix, secret);
    variables.push(name);
    return name;
  };
  const exported: TeamEntryDraft = { ...plain, url: exportedUrl(entry.url, variable) };
  const isToken = [token, access_token, tokenFile, tokenCommand].some((each) => each !== undefined);
  if (isToken) exported.tokenEnv = variable("TOKEN");
  if (tokenFile !== undefined || tokenCommand !== undefined) {
    notes.push(
      "its tokenFile or tokenCommand belongs to this machine: the export names a variable instead",
    );
  }
  if (headersCommand !== undefined) notes.push("its headersCommand is left out: it is a command");
  if (audit !== undefined) notes.push("its audit is left out: the file belongs to this machine");
  const pairs = Object.entries(headers ?? {}).map(([header, value]) => [
    header,
    exportedHeader(header, value, variable),
  ]);
  if (pairs.length > 0) exported.headers = Object.fromEntries(pairs);
  if (auth?.type === "oauth") exported.auth = exportedAuth(auth, variable, notes);
  else if (auth !== undefined) exported.auth = auth;
  if (network !== undefined) exportNetwork(network, exported, notes);
  if (codex?.required !== undefined) exported.codex = { required: codex.required };
  if (codex?.approval !== undefined)
    notes.push("codex.approval is left out: each user decides about it");
  return { entry: exported, variables, notes };
}

function exportedHeader(name: string, value: string, variable: (secret: string) => string): string {
  const literal = textWithDefaults(value);
  const hasLiteral = !/^((bearer|basic)\s+)?$/i.test(literal);
  if (!hasLiteral) return value;
  return namesSecret(name) || looksSecret(literal) ? `\${${variable(name)}}` : value;
}

/** A text with the default of each variable in its place, which may be a secret, too. */
const textWithDefaults = (text: string) => expand(text, {}, () => "");

function exportedUrl(text: string, variable: (secret: string) => string): string {
  const [address, query] = text.split("?", 2);
  if (query === undefined) return text;
  const pairs = query.split("&").map((pair) => {
    const at = pair.indexOf("=");
    const [name, value] = at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
    const literal = textWithDefaults(value);
    const isSecret = literal !== "" && (namesSecret(name) || looksSecret(literal));
    return isSecret ? `${name}=\${${variable(name)}}` : pair;
  });
  return `${address}?${pairs.join("&")}`;
}

function exportedAuth(
  auth: Extract<NonNullable<ServerEntry["auth"]>, { type: "oauth" }>,
  variable: (secret: string) => string,
  notes: string[],
): object {
  const { clientSecret, clientSecretFile, store: _, ...more } = auth;
  const omitted = keysBeyond(teamAuthKeys, more);
  for (const key of omitted) notes.push(`auth.${key} is left out: it belongs to this machine`);
  const kept = Object.fromEntries(Object.entries(more).filter(([key]) => !omitted.includes(key)));
  const isSecret = clientSecret !== undefined || clientSecretFile !== undefined;
  return { ...kept, ...(isSecret && { clientSecretEnv: variable("CLIENT_SECRET") }) };
}

function exportNetwork(
  network: NonNullable<ServerEntry["network"]>,
  exported: TeamEntryDraft,
  notes: string[],
): void {
  const { ipFamily } = network;
  if (ipFamily !== undefined) exported.network = { ipFamily };
  for (const key of keysBeyond(teamNetworkKeys, network)) {
    notes.push(`network.${key} is left out: it belongs to this machine`);
  }
}

/** The text of a team file. */
export function teamText(servers: Readonly<Record<string, object>>): string {
  return `${JSON.stringify({ format: teamFormat, version: 1, servers }, null, 2)}\n`;
}
