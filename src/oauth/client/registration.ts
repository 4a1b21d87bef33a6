import { changeHint } from "../../config/change-hint.ts";
import { requireVariable } from "../../config/environment.ts";
import type { OAuthSettings } from "../../config/settings.ts";
import { expand, tokenProblem } from "../../config/validators.ts";
import { BridgeError, type Hint, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import { type JsonObject, jsonObject } from "../core/document.ts";
import type { ClientAuthMethod, OAuthClient } from "../core/grant.ts";
import { repeatedWhileBusy } from "../core/transient.ts";
import type { Issuer } from "../discovery/issuer.ts";
import { clientSecret, methodFor } from "./client-secret.ts";
import { libraryOptions } from "./oauth4webapi.ts";

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
const methods: readonly string[] = ["none", "client_secret_basic", "client_secret_post"];

/** The client that the configuration names; undefined: the client has to be registered. */
export function configuredClient(context: OAuthContext, issuer: Issuer): OAuthClient | undefined {
  const { auth } = context;
  if (auth.clientId !== undefined) {
    const secret = clientSecret(context);
    return {
      id: auth.clientId,
      method: methodFor(auth, secret !== undefined, issuer),
      source: "configured",
      ...(secret !== undefined && { secret }),
    };
  }
  if (auth.clientMetadataUrl === undefined || !issuer.takesClientMetadata) return undefined;
  return { id: auth.clientMetadataUrl, method: methodFor(auth, false, issuer), source: "metadata" };
}

/** The redirect URI and scope that a client must be registered for. */
export interface ClientNeeds {
  readonly redirectUri: string;
  readonly scope: string | undefined;
}

/**
 * Whether an earlier registration can be reused: its secret has not expired, and it covers redirect URI and scope. A
 * configured redirect URI is used as it is; one of the bridge's own listener may name localhost or its address.
 */
export function isUsable(
  client: OAuthClient,
  { redirectUri, scope }: ClientNeeds,
  { auth, now }: OAuthContext,
) {
  const isAlive = client.expiresAt === undefined || client.expiresAt > now();
  const place = (uri: string | undefined) =>
    auth.redirectUri === undefined ? uri?.replace("//localhost:", "//127.0.0.1:") : uri;
  const registered = client.scope?.split(" ");
  const isCovered = (word: string) => registered === undefined || registered.includes(word);
  return (
    isAlive &&
    client.source === "registered" &&
    place(client.redirectUri) === place(redirectUri) &&
    (scope ?? "").split(" ").every((word) => word === "" || isCovered(word))
  );
}

/** Authentication methods to register with, in order: `none` first (RFC 8252 8.5), since many servers accept public clients without listing it. */
function methodsToRegister({ clientAuth }: OAuthSettings, issuer: Issuer): ClientAuthMethod[] {
  if (clientAuth !== undefined) return [clientAuth];
  const offered = issuer.clientAuthMethods ?? ["client_secret_basic"];
  return [
    "none",
    ...(["client_secret_basic", "client_secret_post"] as const).filter((method) =>
      offered.includes(method),
    ),
  ];
}

function refused(server: string, why: string, hint: Hint): BridgeError {
  return new BridgeError("registration-refused", `no client id for server "${server}": ${why}`, {
    hint,
  });
}

const askProvider = (redirectUri: string) =>
  `ask the provider for a client id of a native app (redirect URI ${redirectUri}) and set it as "auth.clientId"`;

/** Whether a request with other client metadata would fail, too: the endpoint does not exist, or answered without a client id. */
const isFinal = (status: number) => status < 300 || [404, 405, 410].includes(status);

/**
 * Registers a client (RFC 7591) with the scope of the sign-in, because some servers grant a client only the scope of its
 * registration; again without the scope where the server refuses it. Throws `registration-refused`.
 */
export async function register(
  context: OAuthContext,
  issuer: Issuer,
  needs: ClientNeeds,
  signal: AbortSignal,
): Promise<OAuthClient> {
  const { auth, server } = context;
  if (issuer.registrationEndpoint === undefined) {
    throw refused(server.name, noRegistration, askProvider(needs.redirectUri));
  }
  if (auth.clientAuth === "private_key_jwt") {
    throw new BridgeError(
      "configuration",
      `"auth.clientAuth" of server "${server.name}" is private_key_jwt, which needs a client that the provider knows by its key`,
      { hint: settingHint('set "auth.clientId" to the id of that client') },
    );
  }
  let last: { readonly status: number; readonly answer: JsonObject | undefined } | undefined;
  for (const method of methodsToRegister(auth, issuer)) {
    for (const scope of needs.scope === undefined ? [undefined] : [needs.scope, undefined]) {
      const request = () => requestClient(context, issuer, { ...needs, scope }, method, signal);
      last = await repeatedWhileBusy(request, context, signal);
      const { status, answer } = last;
      if (status < 300 && answer !== undefined && isClientId(answer.client_id))
        return clientFrom(context, issuer, { ...needs, scope }, method, answer);
      // A 401 demands an initial access token: a request without the scope would be refused as well.
      if (isFinal(status) || status === 401) break;
    }
    if (last !== undefined && isFinal(last.status)) break;
  }
  const { redirectUri } = needs;
  if (last?.answer?.error === "invalid_redirect_uri" && auth.redirectUri === undefined) {
    // RFC 8252 7.3 recommends the address, but some servers know the name alone.
    const byName = redirectUri.replace("//127.0.0.1:", "//localhost:");
    if (byName !== redirectUri)
      return register(context, issuer, { ...needs, redirectUri: byName }, signal);
  }
  throw registrationRefused(context, last!, redirectUri);
}

/** Looser than RFC 7591 3.2.1: a number is accepted, too. */
const isClientId = (id: unknown) => (typeof id === "string" && id !== "") || typeof id === "number";

/** Redirect URI for hints, where no listener is open. */
const usualRedirect = "http://127.0.0.1/callback";

/**
 * Finds out whether the authorization server lets anybody register, and registers nothing: the request's body is no JSON, which
 * an open endpoint refuses with 400. Throws `registration-refused`, or an error of the endpoint.
 */
export async function requireOpenRegistration(
  context: OAuthContext,
  issuer: Issuer,
  signal: AbortSignal,
): Promise<void> {
  const redirectUri = context.auth.redirectUri ?? usualRedirect;
  if (issuer.registrationEndpoint === undefined)
    throw refused(context.server.name, noRegistration, askProvider(redirectUri));
  const token = initialAccessToken(context);
  const response = await context.http({
    method: "POST",
    url: new URL(issuer.registrationEndpoint),
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: "{",
    issuer: issuer.issuer,
    signal,
  });
  const { status } = response;
  const answer = jsonObject(await response.text());
  if ([401, 403, 404, 405, 410].includes(status))
    throw registrationRefused(context, { status, answer }, redirectUri);
}

const noRegistration = "the authorization server does not register clients";

/** Sends one registration request. Throws `server-error` (5xx) or `rate-limited` (429). */
async function requestClient(
  context: OAuthContext,
  issuer: Issuer,
  { redirectUri, scope }: ClientNeeds,
  method: ClientAuthMethod,
  signal: AbortSignal,
) {
  const { auth } = context;
  const grants = ["authorization_code", "refresh_token"];
  if (issuer.deviceEndpoint !== undefined) grants.push(deviceGrant);
  const token = initialAccessToken(context);
  const oauth = await import("oauth4webapi");
  const response = await oauth.dynamicClientRegistrationRequest(
    { issuer: issuer.issuer, registration_endpoint: issuer.registrationEndpoint! },
    {
      client_name: auth.clientName ?? "codex-mcp-http-bridge",
      application_type: "native",
      redirect_uris: [redirectUri],
      grant_types: grants,
      response_types: ["code"],
      token_endpoint_auth_method: method,
      ...(scope !== undefined && { scope }),
    },
    {
      ...(await libraryOptions(context, issuer.issuer, signal)),
      ...(token !== undefined && { initialAccessToken: token }),
    },
  );
  const { status } = response;
  if (status >= 500 || status === 429) {
    const kind = status === 429 ? "rate-limited" : "server-error";
    throw new BridgeError(kind, `the registration endpoint answered ${status}`, { status });
  }
  // Looser than oauth4webapi, which accepts 201 only (RFC 7591 3.2.1): some servers answer 200.
  return { status, answer: jsonObject(await response.text()) };
}

/** The initial access token (RFC 7591 3) with its variables expanded. Throws `configuration`. */
function initialAccessToken({ auth, env, server, redactor }: OAuthContext): string | undefined {
  if (auth.initialAccessToken === undefined) return undefined;
  const what = `auth.initialAccessToken of server "${server.name}"`;
  const missing = (variable: string) => requireVariable(env, variable, what);
  const token = expand(auth.initialAccessToken, env, missing).trim();
  redactor.add(token);
  const problem = tokenProblem(token);
  if (problem === undefined) return token;
  throw new BridgeError("configuration", `${what}: ${problem}`);
}

function registrationRefused(
  { auth, server, redactor }: OAuthContext,
  { status, answer }: { readonly status: number; readonly answer: JsonObject | undefined },
  redirectUri: string,
): BridgeError {
  const reason = answer?.error_description ?? answer?.error;
  const words = typeof reason === "string" ? `: ${redactor.shown(reason, 300)}` : "";
  const why = `the authorization server refused to register a client (${status})${words}`;
  // The endpoint does not exist: most likely the server expects a token that its website issues.
  const isNone = status === 404 && auth.issuer === undefined;
  const ask = askProvider(redirectUri);
  if (status === 401)
    return refused(
      server.name,
      why,
      `it wants an initial access token: ask the provider for one and set it as "auth.initialAccessToken", or ${ask}`,
    );
  return refused(server.name, why, (command) =>
    isNone ? `${ask}; if the server takes a token, ${changeHint(server, command)}` : ask,
  );
}

/** The client in a registration answer; the server may have chosen another authentication method. */
function clientFrom(
  { redactor }: OAuthContext,
  issuer: Issuer,
  { redirectUri, scope }: ClientNeeds,
  asked: ClientAuthMethod,
  answer: JsonObject,
): OAuthClient {
  const secret = answer.client_secret;
  const hasSecret = typeof secret === "string" && secret !== "";
  const until = Number(answer.client_secret_expires_at ?? 0);
  const named = answer.token_endpoint_auth_method ?? asked;
  const isKnown =
    typeof named === "string" && methods.includes(named) && (hasSecret || named === "none");
  if (hasSecret) redactor.add(secret);
  return {
    id: String(answer.client_id),
    method: isKnown ? (named as ClientAuthMethod) : methodFor({}, hasSecret, issuer),
    source: "registered",
    redirectUri,
    ...(scope !== undefined && { scope }),
    ...(hasSecret && { secret }),
    // JSON has no Infinity: it would be stored as null.
    ...(hasSecret && until > 0 && Number.isFinite(until * 1000) && { expiresAt: until * 1000 }),
  };
}
