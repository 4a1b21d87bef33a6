import { BridgeError, type Hint, settingHint } from "../../wire/errors.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import { cleanText } from "../../wire/text.ts";
import type { OAuthContext } from "../core/context.ts";
import { type JsonObject, jsonObject } from "../core/document.ts";
import type { ClientAuthMethod, Grant, OAuthClient } from "../core/grant.ts";
import type { Issuer } from "../discovery/issuer.ts";
import { clientAuth } from "./client-auth.ts";
import type { DpopKey } from "./dpop.ts";
import { libraryOptions } from "./oauth4webapi.ts";

/** A successful token answer (RFC 6749 5.1). */
export interface Tokens {
  readonly accessToken: string;
  readonly tokenType: "Bearer" | "DPoP";
  /** Lifetime in ms; undefined if the server does not say. */
  readonly lifeMs?: number;
  readonly refreshToken?: string;
  readonly scope?: string;
  readonly account?: string;
  /** The client authentication that the server accepted, if another one than the client's was needed. */
  readonly clientMethod?: ClientAuthMethod;
}

/** An error answer of the token endpoint (RFC 6749 5.2, RFC 8628 3.5). */
export interface TokenRefusal {
  readonly error: string;
  /** The server's description, cleaned and redacted; "" if it gave none. */
  readonly words: string;
  /** As in Tokens. */
  readonly clientMethod?: ClientAuthMethod;
}

export interface TokenCall {
  readonly context: OAuthContext;
  readonly issuer: Pick<Issuer, "issuer" | "tokenEndpoint">;
  readonly client: OAuthClient;
  readonly grantType: string;
  readonly parameters: Readonly<Record<string, string | undefined>>;
  readonly dpop?: DpopKey;
  readonly signal: AbortSignal;
}

const secretForm = /^[\x21-\x7e]{1,65536}$/;

/** The claims of an ID token; its signature is not checked, for the token comes directly from the issuer (OIDC Core 3.1.3.7). */
function claimsOf(idToken: unknown): JsonObject {
  if (typeof idToken !== "string") return {};
  try {
    const bytes = Uint8Array.fromBase64(idToken.split(".")[1] ?? "", { alphabet: "base64url" });
    return jsonObject(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
}

/** The account that the claims of an ID token name. */
function accountOf(claims: JsonObject): string | undefined {
  const names = ["email", "preferred_username", "name", "sub"].map((name) => claims[name]);
  const found = names.find((name) => typeof name === "string" && name !== "");
  return typeof found === "string" ? cleanText(found, 100) : undefined;
}

/** Caps `expires_in`: no token lives for 100 years, and larger numbers overflow a date. */
const longestLifeSec = 100 * 366 * 86_400;

/** A lifetime in ms; undefined if the server names none, or 0, which cannot be right for a new token. */
function lifeOf(value: unknown): number | undefined {
  const seconds = typeof value === "string" ? Number.parseFloat(value) : value;
  if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.min(seconds, longestLifeSec) * 1000;
}

/** Parses a token answer: a JSON object, else a form, which some servers send (GitHub without `Accept`); undefined where it is neither. */
function answerIn(text: string): JsonObject | undefined {
  const json = jsonObject(text);
  if (json !== undefined) return json;
  const form = new URLSearchParams(text.trim());
  return form.has("access_token") || form.has("error") ? Object.fromEntries(form) : undefined;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Moves a nested token to the top level: Slack puts a user's token under `authed_user`, others wrap theirs in `data`. */
function withTopLevelToken(json: JsonObject): JsonObject {
  if (json.access_token !== undefined) return json;
  const nested = Object.values(json).find((member) => isObject(member) && "access_token" in member);
  return nested === undefined ? json : { ...json, ...(nested as JsonObject) };
}

/** The error parameters of an answer, cleaned and redacted. */
export function refusalOf(json: JsonObject, { redactor }: OAuthContext): TokenRefusal {
  // Some servers send an object in place of the code of RFC 6749 5.2.
  const nested = isObject(json.error) ? json.error : undefined;
  const code = nested === undefined ? json.error : (nested["code"] ?? nested["type"]);
  const text = json.error_description ?? (nested && reasonIn(JSON.stringify(nested))) ?? "";
  const words = redactor.shown(String(text), 300);
  const error = redactor.shown(String(code ?? "invalid_request"), 60);
  return { error, words };
}

/** The refusal as text: its code, and the server's description in parentheses. */
export function refusalText({ error, words }: TokenRefusal): string {
  return words === "" ? error : `${error} (${words})`;
}

function readTokens(json: JsonObject, { context, dpop }: TokenCall): Tokens {
  const { redactor, server } = context;
  const bad = (why: string, details?: { readonly hint: Hint }) =>
    new BridgeError("bad-answer", `the token endpoint of server "${server.name}" ${why}`, details);
  const { access_token, token_type, refresh_token, expires_in, scope, id_token } =
    withTopLevelToken(json);
  if (typeof access_token !== "string" || !secretForm.test(access_token))
    throw bad("gave no usable access token");
  redactor.add(access_token);
  // Looser than oauth4webapi and RFC 6749 5.1, which require it: some servers omit it, and Slack says "user".
  const named = typeof token_type === "string" ? token_type.trim().toLowerCase() : "";
  const type = named === "" || named === "user" ? "bearer" : named;
  if (type !== "bearer" && type !== "dpop")
    throw bad(`gave a token of type "${redactor.shown(type, 30)}"`);
  if (type === "dpop" && dpop === undefined)
    throw bad("gave a DPoP token, which needs a proof in each request", {
      hint: settingHint('set "dpop": true in the "auth" of its entry'),
    });
  const hasRefresh = typeof refresh_token === "string" && refresh_token !== "";
  if (hasRefresh && !secretForm.test(refresh_token)) throw bad("gave an unusable refresh token");
  if (hasRefresh) redactor.add(refresh_token);
  const claims = claimsOf(id_token);
  const { exp } = claims;
  const account = accountOf(claims);
  const isSent =
    context.auth.useIdToken === true && typeof id_token === "string" && secretForm.test(id_token);
  if (isSent) redactor.add(id_token);
  else if (context.auth.useIdToken === true)
    context.log.warn("the answer holds no ID token: the access token is sent", {
      server: server.name,
      hint: 'an ID token comes with the scope "openid"',
    });
  // `expires_in` is about the access token.
  const lifeMs =
    isSent && typeof exp === "number" ? lifeOf(exp - context.now() / 1000) : lifeOf(expires_in);
  return {
    accessToken: isSent ? id_token : access_token,
    tokenType: type === "dpop" ? "DPoP" : "Bearer",
    ...(lifeMs !== undefined && { lifeMs }),
    ...(hasRefresh && { refreshToken: refresh_token }),
    ...(typeof scope === "string" && scope !== "" && { scope: cleanText(scope, 4000) }),
    ...(account !== undefined && { account }),
  };
}

async function post(call: TokenCall, repeatsClientId: boolean): Promise<Response> {
  const { context, issuer, client, grantType, parameters, dpop, signal } = call;
  const oauth = await import("oauth4webapi");
  const given = Object.entries({ ...parameters, ...context.auth.tokenParams });
  const form = given.filter((pair): pair is [string, string] => pair[1] !== undefined);
  const options = await libraryOptions(context, issuer.issuer, signal);
  return oauth.genericTokenEndpointRequest(
    { issuer: issuer.issuer, token_endpoint: issuer.tokenEndpoint },
    { client_id: client.id },
    await clientAuth(context, client, repeatsClientId),
    grantType,
    new URLSearchParams(form),
    { ...options, ...(dpop && { DPoP: dpop.handle }) },
  );
}

/** Whether the server refuses a client id in the body of a request with Basic authentication: RFC 6749 2.3 allows treating that as two methods. */
async function refusesClientId(call: TokenCall, response: Response): Promise<boolean> {
  if (call.client.method !== "client_secret_basic" || response.status !== 400) return false;
  return jsonObject(await response.clone().text())?.error === "invalid_request";
}

/**
 * The other ways to send the client's secret: a server may name one at registration or in its metadata, or none, and want
 * another. None where the configuration names the way, or a key: the secret then leaves the machine in no other way.
 */
function otherMethods({ client, context: { auth } }: TokenCall): ClientAuthMethod[] {
  const isKey = auth.privateKeyFile !== undefined || client.method === "private_key_jwt";
  if (client.secret === undefined || auth.clientAuth !== undefined || isKey) return [];
  const methods = ["client_secret_basic", "client_secret_post"] as const;
  return methods.filter((method) => method !== client.method);
}

/** The errors about a grant (RFC 6749 5.2, RFC 8628 3.5): a server that sends one has accepted the client. */
const grantErrors = [
  "invalid_grant",
  "invalid_scope",
  "authorization_pending",
  "slow_down",
  "expired_token",
  "access_denied",
];

/**
 * Sends a token request, and again with the client's secret in another way where the server does not accept the first.
 * Resolves and throws as requestOnce does for the first request; a further request changes that only where the server
 * accepts its client.
 */
export async function requestTokens(call: TokenCall): Promise<Tokens | TokenRefusal> {
  const first = await requestOnce(call);
  if (!("error" in first) || first.error !== "invalid_client") return first;
  for (const clientMethod of otherMethods(call)) {
    const client = { ...call.client, method: clientMethod };
    const answer = await requestOnce({ ...call, client }).catch(() => first);
    if (!("error" in answer) || grantErrors.includes(answer.error))
      return { ...answer, clientMethod };
  }
  return first;
}

/**
 * Sends one token request. Resolves to tokens or to the server's refusal; throws a BridgeError for 5xx, 429, network
 * failures and answers that are neither.
 */
async function requestOnce(call: TokenCall): Promise<Tokens | TokenRefusal> {
  const url = new URL(call.issuer.tokenEndpoint);
  const { withoutClientId } = call.context;
  const send = () => post(call, !withoutClientId.has(url.href));
  let response = await send();
  const learnNonce = () => call.dpop?.learn(url, response.headers.get("dpop-nonce")) ?? false;
  if (learnNonce() && !response.ok) {
    response = await send();
    learnNonce();
  }
  if (!withoutClientId.has(url.href) && (await refusesClientId(call, response))) {
    withoutClientId.add(url.href);
    response = await send();
    learnNonce();
  }
  const { status } = response;
  if (status >= 500 || status === 429) {
    const kind = status === 429 ? "rate-limited" : "server-error";
    throw new BridgeError(kind, `the token endpoint "${url.host}" answered ${status}`, { status });
  }
  const text = await response.text();
  const json = answerIn(text);
  if (json === undefined) {
    const words = call.context.redactor.shown(reasonIn(text), 300);
    const reason = words === "" ? "" : `, and said: ${words}`;
    throw new BridgeError(
      "bad-answer",
      `the token endpoint "${url.host}" answered ${status} without JSON${reason}`,
      { status },
    );
  }
  // Looser than oauth4webapi: some servers (GitHub) send errors with status 200.
  if (typeof json.error === "string" || isObject(json.error) || !response.ok)
    return refusalOf(json, call.context);
  return readTokens(json, call);
}

/** The members of a new grant other than its tokens; the caller adds the DPoP key, if there is one. */
export function grantBase(
  { issuer, resource }: { readonly issuer: Issuer; readonly resource?: string },
  client: OAuthClient,
  scope: string | undefined,
): Parameters<typeof grantFrom>[1] {
  const { revocationEndpoint } = issuer;
  return {
    issuer: issuer.issuer,
    client,
    tokenEndpoint: issuer.tokenEndpoint,
    ...(revocationEndpoint !== undefined && { revocationEndpoint }),
    ...(resource !== undefined && { resource }),
    ...(scope !== undefined && { scope }),
  };
}

/** Builds a grant from tokens that were received at `now`. */
export function grantFrom(
  tokens: Tokens,
  base: Omit<Grant, "accessToken" | "tokenType" | "obtainedAt" | "expiresAt">,
  now: number,
): Grant {
  const { accessToken, tokenType, lifeMs, clientMethod } = tokens;
  const refreshToken = tokens.refreshToken ?? base.refreshToken;
  const scope = tokens.scope ?? base.scope;
  const account = tokens.account ?? base.account;
  return {
    issuer: base.issuer,
    client: clientMethod === undefined ? base.client : { ...base.client, method: clientMethod },
    tokenEndpoint: base.tokenEndpoint,
    ...(base.revocationEndpoint !== undefined && { revocationEndpoint: base.revocationEndpoint }),
    ...(base.resource !== undefined && { resource: base.resource }),
    ...(base.dpopKey !== undefined && { dpopKey: base.dpopKey }),
    accessToken,
    tokenType,
    obtainedAt: now,
    ...(lifeMs !== undefined && { expiresAt: now + lifeMs }),
    ...(refreshToken !== undefined && { refreshToken }),
    ...(scope !== undefined && { scope }),
    ...(account !== undefined && { account }),
    ...(base.signedInAt !== undefined && { signedInAt: base.signedInAt }),
  };
}
