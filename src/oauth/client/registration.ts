import { BridgeError, type Hint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import { jsonObject } from "../core/document.ts";
import type { ClientAuthMethod, OAuthClient } from "../core/grant.ts";
import type { Issuer } from "../discovery/issuer.ts";
import { clientSecret, methodFor } from "./client-secret.ts";

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
const methods: readonly string[] = ["none", "client_secret_basic", "client_secret_post"];

/** The client that the configuration itself names; undefined where it leaves that to registration. */
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

/** Whether an earlier registration can be used again for this redirect URI. */
export function isUsable(client: OAuthClient, redirectUri: string, now: number): boolean {
  const isAlive = client.expiresAt === undefined || client.expiresAt > now;
  return isAlive && client.source === "registered" && client.redirectUri === redirectUri;
}

/** How a registered client is to prove who it is: not at all where that is allowed (RFC 8252 8.5). */
function methodToRegister(issuer: Issuer): ClientAuthMethod {
  const offered = issuer.clientAuthMethods ?? ["none"];
  if (offered.includes("none")) return "none";
  return offered.includes("client_secret_basic") ? "client_secret_basic" : "client_secret_post";
}

function refused(server: string, why: string, hint: Hint): BridgeError {
  return new BridgeError("registration-refused", `no client id for server "${server}": ${why}`, {
    hint,
  });
}

const askProvider = (redirectUri: string) =>
  `ask the provider for a client id of a native app (redirect URI ${redirectUri}) and set it as "auth.clientId"`;

/**
 * Registers a client (RFC 7591); no scope is sent, for a strict server would pin the client to it.
 * Throws `registration-refused`.
 */
export async function register(
  context: OAuthContext,
  issuer: Issuer,
  redirectUri: string,
  signal: AbortSignal,
): Promise<OAuthClient> {
  const { auth, http, server, redactor } = context;
  if (issuer.registrationEndpoint === undefined) {
    const why = "the authorization server registers none by itself";
    throw refused(server.name, why, askProvider(redirectUri));
  }
  const method = methodToRegister(issuer);
  const grants = ["authorization_code", "refresh_token"];
  if (issuer.deviceEndpoint !== undefined) grants.push(deviceGrant);
  const response = await http({
    method: "POST",
    url: new URL(issuer.registrationEndpoint),
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({
      client_name: auth.clientName ?? "codex-mcp-http-bridge",
      application_type: "native",
      redirect_uris: [redirectUri],
      grant_types: grants,
      response_types: ["code"],
      token_endpoint_auth_method: method,
    }),
    signal,
  });
  const answer = jsonObject(await response.text());
  const id = answer?.client_id;
  if (response.status >= 500) {
    throw new BridgeError("server-error", `the registration endpoint answered ${response.status}`, {
      status: response.status,
    });
  }
  if (response.status >= 300 || typeof id !== "string" || id === "") {
    const said = answer?.error_description ?? answer?.error;
    const words = typeof said === "string" ? `: ${redactor.shown(said, 300)}` : "";
    const why = `the authorization server refused to register one (${response.status})${words}`;
    // Nothing there at all: most likely the server takes a token of its own kind.
    const isNone = response.status === 404 && auth.issuer === undefined;
    const ask = askProvider(redirectUri);
    const setup = `setup --server ${server.name}`;
    throw refused(server.name, why, (command) =>
      isNone ? `${ask}; if the server takes a token, run ${command(setup)}` : ask,
    );
  }
  const secret = answer?.client_secret;
  const hasSecret = typeof secret === "string" && secret !== "";
  const until = Number(answer?.client_secret_expires_at ?? 0);
  const named = answer?.token_endpoint_auth_method;
  const isKnown =
    typeof named === "string" && methods.includes(named) && (hasSecret || named === "none");
  if (hasSecret) redactor.add(secret);
  return {
    id,
    method: isKnown ? (named as ClientAuthMethod) : methodFor({}, hasSecret, issuer),
    source: "registered",
    redirectUri,
    ...(hasSecret && { secret }),
    ...(hasSecret && until > 0 && { expiresAt: until * 1000 }),
  };
}
