import { isAbsolute, join } from "../platform/path.ts";
import { type Paths, stateOf } from "../platform/paths.ts";
import { ConfigProblem } from "./config-problem.ts";
import { governed } from "./governed.ts";
import { machinePolicy } from "./machine-policy.ts";
import { auditOf, toolRulesOf } from "./rules.ts";
import type { ServerEntry, TopLevel } from "./schema.ts";
import { expandedUrl, needsAllowHttp, serverUrlProblem } from "./server-url.ts";
import type { Credential, NetworkSettings, OAuthSettings, ServerSettings } from "./settings.ts";
import { headerProblem, nameProblem } from "./validators.ts";

const mebibyte = 1024 * 1024;
const credentialKeys = [
  "token",
  "access_token",
  "tokenEnv",
  "tokenFile",
  "tokenCommand",
  "auth",
] as const;
const fileKeys = ["clientSecretFile", "privateKeyFile", "assertionFile"] as const;

type OAuthEntry = Extract<ServerEntry["auth"], { type: "oauth" }>;

const absolute = (home: string, path: string) => (isAbsolute(path) ? path : join(home, path));

/** Throws ConfigProblem if `entry` has more than one of `keys`. */
function atMostOne(entry: object, keys: readonly string[], path: readonly string[], what: string) {
  const found = keys.filter((key) => Object.hasOwn(entry, key));
  if (found.length > 1)
    throw new ConfigProblem(path, `expected one ${what}, not ${found.join(" and ")}`);
}

function authSettingsOf(auth: OAuthEntry, home: string, at: readonly string[]): OAuthSettings {
  const path = [...at, "auth"];
  atMostOne(auth, ["clientSecret", "clientSecretEnv", "clientSecretFile"], path, "client secret");
  atMostOne(auth, ["assertionFile", "assertionEnv", "assertionCommand"], path, "assertion");
  const { type: _, idp, ...rest } = auth;
  const files: { [key in (typeof fileKeys)[number]]?: string } = {};
  for (const key of fileKeys) {
    const file = auth[key];
    if (file !== undefined) files[key] = absolute(home, file);
  }
  if (auth.grant === "id_jag" && idp === undefined) {
    throw new ConfigProblem([...path, "idp"], "expected an object: the grant id_jag needs it");
  }
  const common = {
    ...rest,
    ...files,
    grant: auth.grant ?? ("authorization_code" as const),
    store: auth.store ?? ("file" as const),
  };
  if (auth.tokenEndpoint !== undefined && auth.grant !== "client_credentials") {
    throw new ConfigProblem(
      [...path, "tokenEndpoint"],
      "expected only with the grant client_credentials",
    );
  }
  if (idp === undefined) return common;
  const tokens = ["idTokenFile", "idTokenEnv", "idTokenCommand"];
  atMostOne(idp, tokens, [...path, "idp"], "id token");
  if (!tokens.some((key) => Object.hasOwn(idp, key))) {
    throw new ConfigProblem([...path, "idp"], `expected one of ${tokens.join(", ")}`);
  }
  const { idTokenFile, ...others } = idp;
  return {
    ...common,
    idp:
      idTokenFile === undefined ? others : { ...others, idTokenFile: absolute(home, idTokenFile) },
  };
}

function credentialOf(entry: ServerEntry, home: string, at: readonly string[]): Credential {
  atMostOne(entry, credentialKeys, at, "credential");
  const token = entry.token ?? entry.access_token;
  const hasAuthorization = Object.keys(entry.headers ?? {}).some(
    (name) => name.toLowerCase() === "authorization",
  );
  const hasCredentialKey = credentialKeys.some((key) => entry[key] !== undefined);
  if (hasAuthorization && hasCredentialKey && entry.auth?.type !== "none") {
    throw new ConfigProblem(
      // The path omits `Authorization`: redaction would treat the words after it as the header's value.
      [...at, "headers"],
      "expected no Authorization header beside another credential",
    );
  }
  if (token !== undefined) return { type: "token", token: token.trim() };
  if (entry.tokenEnv !== undefined) return { type: "tokenEnv", variable: entry.tokenEnv };
  if (entry.tokenFile !== undefined) {
    return { type: "tokenFile", path: absolute(home, entry.tokenFile) };
  }
  if (entry.tokenCommand !== undefined) return { type: "tokenCommand", argv: entry.tokenCommand };
  if (entry.auth?.type === "oauth") {
    return { type: "oauth", auth: authSettingsOf(entry.auth, home, at) };
  }
  // An Authorization header is a static credential: a 401 never leads to a sign-in.
  return { type: entry.auth?.type === "none" || hasAuthorization ? "none" : "unset" };
}

function networkOf(
  top: TopLevel,
  entry: ServerEntry,
  home: string,
  at: readonly string[],
): NetworkSettings {
  const merged = { ...top.network, ...entry.network };
  if ((merged.clientCertFile === undefined) !== (merged.clientKeyFile === undefined)) {
    throw new ConfigProblem(
      [...at, "network"],
      "expected clientCertFile and clientKeyFile together",
    );
  }
  const { caFile, clientCertFile, clientKeyFile, ...rest } = merged;
  return {
    ...rest,
    ...(caFile === undefined ? {} : { caFile: absolute(home, caFile) }),
    ...(clientCertFile === undefined ? {} : { clientCertFile: absolute(home, clientCertFile) }),
    ...(clientKeyFile === undefined ? {} : { clientKeyFile: absolute(home, clientKeyFile) }),
  };
}

/** Builds the settings from a validated entry: adds defaults and makes file names absolute. Throws ConfigProblem. */
export function serverSettings(
  name: string,
  entry: ServerEntry,
  top: TopLevel,
  { home, stateRoot, env = {} }: Pick<Paths, "home" | "stateRoot"> & Partial<Pick<Paths, "env">>,
): ServerSettings {
  const at = ["servers", name];
  const badName = nameProblem(name);
  if (badName !== undefined) throw new ConfigProblem(at, badName);
  const headers = entry.headers ?? {};
  const badHeader = headerProblem(Object.keys(headers));
  if (badHeader !== undefined) {
    throw new ConfigProblem([...at, "headers", badHeader.name], badHeader.problem);
  }
  const tools = toolRulesOf(entry.tools ?? {});
  const url = expandedUrl(entry.url, env);
  if (needsAllowHttp(url) && entry.allowHttp !== true) {
    throw new ConfigProblem([...at, "url"], serverUrlProblem(entry.url, false)!);
  }
  const settings = {
    name,
    url,
    ...(entry.url.includes("${") && { urlTemplate: entry.url }),
    ...(entry.allowHttp === true && { allowHttp: true }),
    isDisabled: entry.disabled ?? false,
    transport: entry.transport ?? "auto",
    cookies: entry.cookies ?? true,
    endSession: entry.endSession ?? true,
    trace: entry.trace ?? true,
    protocol: entry.protocol ?? "auto",
    credential: credentialOf(entry, home, at),
    headers,
    ...(entry.headersCommand === undefined ? {} : { headersCommand: entry.headersCommand }),
    timeoutMs: (entry.timeoutSec ?? top.timeoutSec ?? 118) * 1000,
    connectTimeoutMs: (entry.connectTimeoutSec ?? top.connectTimeoutSec ?? 10) * 1000,
    keepAliveMs: (entry.keepAliveSec ?? top.keepAliveSec ?? 0) * 1000,
    retry: { attempts: entry.retry?.attempts ?? top.retry?.attempts ?? 3 },
    network: networkOf(top, entry, home, at),
    limits: {
      messageBytes: (entry.limits?.messageMB ?? top.limits?.messageMB ?? 64) * mebibyte,
    },
    ...(tools === undefined ? {} : { tools }),
    env: entry.env ?? [],
    audits: entry.audit === undefined ? [] : [auditOf(entry.audit, home)],
    ...(entry.description === undefined ? {} : { description: entry.description }),
    codex: entry.codex ?? {},
    home,
    state: stateOf(stateRoot, name),
  } satisfies ServerSettings;
  const policy = machinePolicy();
  return policy === undefined ? settings : governed(settings, policy);
}
