import type { OAuthSettings } from "../../config/settings.ts";
import { asBridgeError, BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import {
  type DocumentAnswer,
  type DocumentFailure,
  endpointUrl,
  fetchDocument,
  type JsonObject,
  joinFailures,
  stringsOf,
} from "../core/document.ts";
import { isSameIssuer } from "../core/grant.ts";
import { isTransient } from "../core/transient.ts";
import { fetchIssuer, type Issuer, legacyIssuer } from "./issuer.ts";

/** The authorization server that issues the tokens, and the resource that they are for. */
export interface SignInTarget {
  readonly issuer: Issuer;
  /** The `resource` parameter (RFC 8707); undefined: it is omitted. */
  readonly resource?: string;
  /** The scopes that the resource's metadata list (RFC 9728 2). */
  readonly resourceScopes?: readonly string[];
  /** Whether the resource accepts only DPoP-bound tokens (RFC 9728 2). */
  readonly wantsDpop: boolean;
}

export interface DiscoveryRequest extends Pick<OAuthContext, "http" | "redactor" | "sleep"> {
  /** The URL of the MCP server. */
  readonly server: URL;
  readonly auth: Pick<OAuthSettings, "issuer" | "resource" | "tokenEndpoint">;
  /** `resource_metadata` of the challenge. */
  readonly resourceMetadata?: string;
  /** The issuer of the last sign-in; tried first if the resource lists several issuers. */
  readonly pinned?: string | undefined;
  /** Whether token requests carry a secret of the configuration. */
  readonly sendsSecret: boolean;
  readonly signal: AbortSignal;
}

/** The protected resource metadata of an MCP server (RFC 9728 2). */
export interface ResourceMetadata {
  readonly resource: string;
  readonly issuers: readonly string[];
  readonly scopes?: readonly string[];
  readonly wantsDpop: boolean;
}

/** The server's URL as a resource identifier: no fragment, no slash added, and no query, which may hold a secret (RFC 8707 2). */
function resourceOf(server: URL): string {
  // The user most likely wrote `https://host`; the parser adds the slash.
  return server.pathname === "/" ? server.origin : server.origin + server.pathname;
}

/** Whether metadata for `resource` describe the server: same origin, equal or parent path (RFC 9728 3.3). */
export function describesServer(resource: string, server: URL): boolean {
  const url = URL.parse(resource);
  if (url === null || url.origin !== server.origin || url.username !== "") return false;
  const parent = url.pathname.replace(/\/+$/, "");
  const path = server.pathname;
  return path === parent || path.startsWith(`${parent}/`);
}

function readResource(
  document: JsonObject,
  { server, redactor }: DiscoveryRequest,
): ResourceMetadata | BridgeError {
  const { resource } = document;
  if (typeof resource !== "string" || !describesServer(resource, server)) {
    const named = typeof resource === "string" ? redactor.shown(resource, 200) : "nothing";
    return new BridgeError(
      "refused",
      `the protected resource metadata describe ${named}, not ${resourceOf(server)}`,
      { hint: "check the server's URL in the configuration" },
    );
  }
  const scopes = stringsOf(document.scopes_supported);
  return {
    resource,
    issuers: stringsOf(document.authorization_servers) ?? [],
    wantsDpop: document.dpop_bound_access_tokens_required === true,
    ...(scopes !== undefined && { scopes }),
  };
}

/** URLs of the protected resource metadata, in the order to try: from the challenge, for the server's path, at the root of its host (RFC 9728 3.1). */
export function resourceUrls({
  server,
  resourceMetadata,
}: Pick<DiscoveryRequest, "server" | "resourceMetadata">): string[] {
  const wellKnown = `${server.origin}/.well-known/oauth-protected-resource`;
  const path = server.pathname.replace(/\/+$/, "");
  const named = resourceMetadata === undefined ? [] : [resourceMetadata];
  return [...new Set([...named, `${wellKnown}${path}`, wellKnown])];
}

/**
 * The first usable protected resource metadata; undefined if every URL answers that it has none. Otherwise throws the
 * failures: undefined makes the server's own origin its authorization server, which must not happen only because a
 * server is overloaded.
 */
export async function fetchResource(
  request: DiscoveryRequest,
): Promise<ResourceMetadata | undefined> {
  const failures: DocumentFailure[] = [];
  let isForeign = false;
  for (const text of resourceUrls(request)) {
    const { place, answer } = await askPlace(text, request);
    if (answer === "none") continue;
    if (!(answer instanceof BridgeError)) {
      const found = readResource(answer, request);
      if (!(found instanceof BridgeError)) return found;
      isForeign = true;
      failures.push({ place, error: found });
    } else failures.push({ place, error: answer });
  }
  const [first, ...others] = failures;
  if (first === undefined) return undefined;
  // `auth.issuer` names the authorization server: HTML pages in place of metadata do no harm.
  const isNamed = request.auth.issuer !== undefined;
  if (isNamed && !isForeign && !failures.some(({ error }) => isTransient(error))) return undefined;
  const hint = settingHint(
    'if the server\'s operator names its authorization server, set it as "auth.issuer"',
  );
  throw joinFailures([first, ...others], "no protected resource metadata can be used", hint);
}

/** Fetches one metadata document; a URL that the guard refuses counts as a failed one. */
async function askPlace(
  text: string,
  request: DiscoveryRequest,
): Promise<{ readonly place: URL; readonly answer: DocumentAnswer }> {
  let place = request.server;
  try {
    // A server may give the path alone, though RFC 9728 5.1 wants a URL.
    const url = /^\/[^/]/.test(text) ? request.server.origin + text : text;
    place = endpointUrl(url, "the resource_metadata of the challenge");
    return { place, answer: await fetchDocument(request, place, undefined, request.signal) };
  } catch (error) {
    if (request.signal.aborted) throw error;
    return { place, answer: asBridgeError(error) };
  }
}

/** The issuers to try: only the configured issuer if there is one, else the issuers that the resource lists, the pinned issuer first. */
function issuersToTry(
  found: ResourceMetadata | undefined,
  { auth, pinned }: DiscoveryRequest,
): readonly string[] {
  if (auth.issuer !== undefined) return [auth.issuer];
  const isPinned = (issuer: string) => pinned !== undefined && isSameIssuer(issuer, pinned);
  const issuers = found?.issuers ?? [];
  return [...issuers.filter(isPinned), ...issuers.filter((issuer) => !isPinned(issuer))];
}

/** The first issuer with usable metadata; throws the failures of all where there is none. */
async function fetchFirstIssuer(
  issuers: readonly [string, ...string[]],
  request: DiscoveryRequest,
): Promise<Issuer> {
  const { auth, server, signal, sendsSecret } = request;
  const failures: DocumentFailure[] = [];
  for (const issuer of issuers) {
    const place = URL.parse(issuer) ?? server;
    try {
      const found = await fetchIssuer(issuer, request, auth.issuer !== undefined, signal);
      if (found !== undefined) return found;
      const error = new BridgeError(
        "bad-answer",
        `the authorization server "${place.host}" publishes no metadata`,
        { hint: settingHint('check "auth.issuer", or ask the server\'s operator') },
      );
      failures.push({ place, error });
    } catch (error) {
      // A configured secret goes to the next issuer only if this one publishes no metadata, not because it is down.
      if (signal.aborted || sendsSecret) throw error;
      failures.push({ place, error: asBridgeError(error) });
    }
  }
  const [first, ...others] = failures;
  throw joinFailures([first!, ...others], "no authorization server can be used");
}

/** The authorization server that the resource metadata, the configuration or the server's origin name. Throws a BridgeError. */
export async function issuerOf(
  found: ResourceMetadata | undefined,
  request: DiscoveryRequest,
): Promise<Issuer> {
  const { server, signal } = request;
  const [first, ...others] = issuersToTry(found, request);
  if (first !== undefined) return fetchFirstIssuer([first, ...others], request);
  // MCP 2025-03-26: the server's origin is the authorization server, with or without metadata.
  const own = await fetchIssuer(server.origin, request, true, signal);
  return own ?? legacyIssuer(server.origin);
}

/** The issuer of a configured token endpoint: its origin, without metadata. */
function issuerOfEndpoint(text: string): Issuer {
  const url = endpointUrl(text, '"auth.tokenEndpoint"');
  return {
    issuer: url.origin,
    tokenEndpoint: url.href,
    sendsIss: false,
    takesClientMetadata: false,
    isAssumed: true,
  };
}

/** Discovers the authorization server of an MCP server, in the order that the revisions of MCP give. Throws a BridgeError. */
export async function discover(request: DiscoveryRequest): Promise<SignInTarget> {
  const { auth, server } = request;
  if (auth.tokenEndpoint !== undefined) {
    const { resource = resourceOf(server) } = auth;
    const issuer = issuerOfEndpoint(auth.tokenEndpoint);
    return { issuer, wantsDpop: false, ...(resource !== false && { resource }) };
  }
  const found = await fetchResource(request);
  const issuer = await issuerOf(found, request);
  const resource = auth.resource ?? found?.resource ?? resourceOf(server);
  return {
    issuer,
    wantsDpop: found?.wantsDpop ?? false,
    ...(resource !== false && { resource }),
    ...(found?.scopes !== undefined && { resourceScopes: found.scopes }),
  };
}
