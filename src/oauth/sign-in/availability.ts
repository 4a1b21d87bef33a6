import { credentialHint } from "../../config/change-hint.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { mayBeSecret, variablesIn } from "../../config/validators.ts";
import { BridgeError } from "../../wire/errors.ts";
import { isOAuthCertain, type OAuthContext } from "../core/context.ts";
import { jsonObject } from "../core/document.ts";
import type { GuardedRequest } from "../core/ssrf-guard.ts";
import type { BearerChallenge } from "../discovery/challenge.ts";
import { resourceUrls } from "../discovery/discovery.ts";
import { legacyIssuer, metadataUrls } from "../discovery/issuer.ts";

/** The challenges of a server's 401. */
export interface Asked {
  readonly challenge: BearerChallenge | undefined;
  /** The schemes of all challenges in the 401, in lower case. */
  readonly schemes: readonly string[];
}

/** Authentication schemes that OAuth cannot satisfy (IANA HTTP Authentication Schemes): lower case to the form to show. */
const otherSchemes: Readonly<Record<string, string>> = {
  basic: "Basic",
  digest: "Digest",
  negotiate: "Negotiate",
  ntlm: "NTLM",
};

/** The errors of a token endpoint (RFC 6749 5.2). */
const tokenErrors: readonly unknown[] = [
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
];

function needsToken(server: ServerSettings, schemes: readonly string[]): BridgeError {
  const known = schemes.map((scheme) => otherSchemes[scheme]).filter((scheme) => scheme);
  const asks = known.length === 0 ? "" : `, it asks for ${known.join(" or ")}`;
  // A key of an API often stands in a header.
  const names = Object.entries(server.headers)
    .filter(([name, value]) => mayBeSecret(name, value) || variablesIn(value).length > 0)
    .map(([name]) => name)
    .join(", ");
  const what =
    names === ""
      ? "needs a token: it offers no sign-in"
      : `refuses the configured headers (${names}), and offers no sign-in`;
  return new BridgeError(
    "unauthorized",
    `Authentication failed: server "${server.name}" ${what}${asks}`,
    { hint: (command) => credentialHint(server, command), status: 401 },
  );
}

/** Sends a request; undefined if the guard refuses the response, most likely a redirect to a web page. */
async function send(
  { http }: OAuthContext,
  request: GuardedRequest,
): Promise<Response | undefined> {
  try {
    return await http(request);
  } catch (error) {
    if (error instanceof BridgeError && error.kind === "refused") return undefined;
    throw error;
  }
}

/**
 * Whether a URL has a metadata document; undefined if the server fails. Not retried, because a client waits. An HTML
 * page, which many servers send for every path, is not metadata.
 */
async function hasMetadata(
  context: OAuthContext,
  place: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const headers = { accept: "application/json" };
  const response = await send(context, { method: "GET", url: new URL(place), headers, signal });
  if (response === undefined) return false;
  if (response.status === 429 || response.status >= 500) return undefined;
  return response.status === 200 && jsonObject(await response.text()) !== undefined;
}

/**
 * Whether the URL is a token endpoint. A server without metadata is only assumed to have one (MCP 2025-03-26), and
 * most such servers need a token that is issued elsewhere. An empty request has no effect (RFC 6749 5.2: 400).
 */
async function hasTokenEndpoint(
  context: OAuthContext,
  endpoint: string,
  signal: AbortSignal,
): Promise<boolean> {
  const url = new URL(endpoint);
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    accept: "application/json",
  };
  const response = await send(context, { method: "POST", url, headers, body: "", signal });
  if (response === undefined) return false;
  const json = jsonObject(await response.text());
  if (tokenErrors.includes(json?.error)) return true;
  // An endpoint that is overloaded or fails does exist.
  return response.status === 400 || response.status === 429 || response.status >= 500;
}

/**
 * The error for a server that needs a credential but offers no sign-in; undefined if it offers one.
 * Throws a BridgeError if neither can be determined.
 */
export async function noSignIn(
  context: OAuthContext,
  { challenge, schemes }: Asked,
  signal: AbortSignal,
): Promise<BridgeError | undefined> {
  const { server } = context;
  if (isOAuthCertain(context, challenge)) return undefined;
  const isOther = schemes.length > 0 && schemes.every((scheme) => scheme in otherSchemes);
  if (isOther) return needsToken(server, schemes);
  const { origin } = server.url;
  const places = [
    ...resourceUrls({ server: server.url }),
    ...metadataUrls(new URL(origin)).map(({ href }) => href),
  ];
  const found = await Promise.all(places.map((place) => hasMetadata(context, place, signal)));
  if (found.some((answer) => answer !== false)) return undefined;
  const isThere = await hasTokenEndpoint(context, legacyIssuer(origin).tokenEndpoint, signal);
  return isThere ? undefined : needsToken(server, schemes);
}
