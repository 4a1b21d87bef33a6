import { isLoopback } from "../../config/validators.ts";
import { type Grant, isInstant, type OAuthClient } from "../../oauth/core/grant.ts";
import { BridgeError } from "../../wire/errors.ts";

/** The decrypted text of an exported sign-in. */
export interface ExportedSignIn {
  readonly server: string;
  readonly url: string;
  /** The `auth` of the server's entry, as written. */
  readonly auth?: object;
  readonly stored: { readonly grant?: Grant };
}

/** The parts of an exported text that an import uses. */
export interface ImportedSignIn {
  readonly server: string;
  readonly url: URL;
  readonly auth: { readonly type: "oauth" };
  readonly grant: Grant;
  /** Keys of `auth` that are not imported. */
  readonly leftOut: readonly string[];
}

/**
 * Keys of `auth` that an import takes from an exported text, each with a check of its value. Keys that set commands, files,
 * variables, trusted hosts or endpoints are missing on purpose.
 */
const importable: Readonly<Record<string, (value: unknown, grant: Grant) => boolean>> = {
  grant: (value) =>
    ["authorization_code", "device_code", "client_credentials"].includes(String(value)),
  clientId: () => true,
  clientSecret: () => true,
  clientAuth: () => true,
  keyId: () => true,
  algorithm: () => true,
  scopes: () => true,
  clientName: () => true,
  clientMetadataUrl: (value, { client }) => value === client.id,
  issuer: () => true,
  resource: () => true,
  authorizeParams: (value) => !Object.keys(Object(value)).some((name) => reserved.includes(name)),
  tokenParams: () => true,
  pkce: () => true,
  dpop: () => true,
  callbackPort: () => true,
  // A redirect URI on another host would send the authorization code there.
  redirectUri: (value) => isLoopback(URL.parse(String(value)) ?? new URL("about:blank")),
  store: () => true,
};

/** Authorization request parameters that no import may set: they decide who receives the authorization code. */
const reserved = [
  "client_id",
  "code_challenge",
  "code_challenge_method",
  "redirect_uri",
  "request",
  "request_uri",
  "response_mode",
  "response_type",
  "state",
];

const visible = /^[\x21-\x7e]{1,65536}$/;

function damaged(): BridgeError {
  return new BridgeError("configuration", "the exported sign-in is incomplete", {
    hint: "export it again with the same version of the program",
  });
}

/** Parses a decrypted export, which is untrusted input. Throws `configuration`. */
export function readExport(text: string): ImportedSignIn {
  let value: Partial<ExportedSignIn> | null;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged();
  }
  const grant = value?.stored?.grant;
  const url = typeof value?.url === "string" ? URL.parse(value.url) : null;
  if (typeof value?.server !== "string" || url === null || !isWholeGrant(grant)) throw damaged();
  // A variable in the URL would be expanded at every start, and its value on this machine sent to the server.
  if (/\$(?:\{|%7b)/i.test(url.href))
    throw new BridgeError("configuration", "the URL in the exported sign-in names a variable");
  const { type: _, ...auth } = { type: "oauth", ...value.auth } as Record<string, unknown>;
  const isImportable = ([key, setting]: [string, unknown]) =>
    Object.hasOwn(importable, key) && importable[key]!(setting, grant);
  const entries = Object.entries(auth);
  return {
    server: value.server,
    url,
    auth: { type: "oauth", ...Object.fromEntries(entries.filter(isImportable)) },
    grant: copyGrant(grant),
    leftOut: entries.filter((entry) => !isImportable(entry)).map(([key]) => key),
  };
}

function isWholeGrant(value: unknown): value is Grant {
  const grant = value as Partial<Grant> | null | undefined;
  const required = [grant?.issuer, grant?.tokenEndpoint, grant?.client?.id, grant?.accessToken];
  const optional = [grant?.refreshToken, grant?.client?.secret];
  return (
    required.every((text) => typeof text === "string" && visible.test(text)) &&
    optional.every((text) => text === undefined || (typeof text === "string" && text !== "")) &&
    (grant?.refreshToken === undefined || visible.test(grant.refreshToken)) &&
    (grant?.tokenType === "Bearer" || grant?.tokenType === "DPoP") &&
    isInstant(grant.obtainedAt) &&
    (grant.expiresAt === undefined || isInstant(grant.expiresAt))
  );
}

/**
 * Copies the known members of a grant. If `signedInAt` is missing, the time of the import takes its place: it tells two users
 * apart whose authorization server names no account.
 */
function copyGrant(grant: Grant): Grant {
  const { id, secret, method, source, redirectUri, scope, expiresAt } = grant.client;
  const defined = <T extends object>(value: T): T =>
    Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
  const client = defined({ id, secret, method, source, redirectUri, scope, expiresAt });
  return defined({
    issuer: grant.issuer,
    client: client as OAuthClient,
    tokenEndpoint: grant.tokenEndpoint,
    revocationEndpoint: grant.revocationEndpoint,
    accessToken: grant.accessToken,
    tokenType: grant.tokenType,
    obtainedAt: grant.obtainedAt,
    expiresAt: grant.expiresAt,
    refreshToken: grant.refreshToken,
    scope: grant.scope,
    resource: grant.resource,
    account: grant.account,
    signedInAt: typeof grant.signedInAt === "number" ? grant.signedInAt : Date.now(),
    dpopKey: grant.dpopKey,
  }) as Grant;
}
