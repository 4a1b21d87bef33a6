import type { OAuthSettings } from "../../config/settings.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
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
import { mayPass } from "../core/transient.ts";
import { fetchIssuer, type Issuer, legacyIssuer } from "./issuer.ts";

/** Where tokens for a server are got, and for what. */
export interface SignInTarget {
  readonly issuer: Issuer;
  /** The resource identifier to ask tokens for; undefined where the parameter is to be omitted. */
  readonly resource?: string;
  /** The scopes that the resource's metadata list (RFC 9728 2). */
  readonly resourceScopes?: readonly string[];
  /** Whether the resource takes DPoP-bound tokens only (RFC 9728 2). */
  readonly wantsDpop: boolean;
}

export interface DiscoveryRequest extends Pick<OAuthContext, "http" | "redactor" | "sleep"> {
  /** The URL of the MCP server. */
  readonly server: URL;
  readonly auth: Pick<OAuthSettings, "issuer" | "resource">;
  /** From the challenge, where one came. */
  readonly resourceMetadata?: string;
  /** The issuer that earlier sign-ins used: preferred where several are offered. */
  readonly pinned?: string | undefined;
  /** Whether the authorization server is going to get a secret of the configuration. */
  readonly sendsSecret: boolean;
  readonly signal: AbortSignal;
}

interface ResourceMetadata {
  readonly resource: string;
  readonly issuers: readonly string[];
  readonly scopes?: readonly string[];
  readonly wantsDpop: boolean;
}

/** The server's URL as a resource identifier: no fragment, no slash added, and no query, which may hold a secret (RFC 8707 2). */
function resourceOf(server: URL): string {
  // `https://host` was most likely written without the slash that the parser adds.
  return server.pathname === "/" ? server.origin : server.origin + server.pathname;
}

/** Whether metadata for `resource` may speak for the server: same origin, equal or parent path (RFC 9728 3.3). */
export function speaksFor(resource: string, server: URL): boolean {
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
  if (typeof resource !== "string" || !speaksFor(resource, server)) {
    const named = typeof resource === "string" ? redactor.shown(resource, 200) : "nothing";
    return new BridgeError(
      "refused",
      `the protected resource metadata speak for ${named}, not for this server`,
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

/** The places of protected resource metadata: where the challenge says, under the path, at the root (RFC 9728 3.1). */
function resourceUrls({ server, resourceMetadata }: DiscoveryRequest): string[] {
  const wellKnown = `${server.origin}/.well-known/oauth-protected-resource`;
  const path = server.pathname.replace(/\/+$/, "");
  const named = resourceMetadata === undefined ? [] : [resourceMetadata];
  return [...new Set([...named, `${wellKnown}${path}`, wellKnown])];
}

/**
 * The protected resource metadata of the first place that has usable ones; undefined where every place says that
 * there are none. Throws what failed: a server that is broken or overloaded must not look like one without metadata,
 * for its own origin would then be taken for the authorization server.
 */
async function fetchResource(request: DiscoveryRequest): Promise<ResourceMetadata | undefined> {
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
  // The user named the authorization server: pages that are no metadata are as good as none.
  const isNamed = request.auth.issuer !== undefined;
  if (isNamed && !isForeign && !failures.some(({ error }) => mayPass(error))) return undefined;
  const hint = 'if the server\'s operator names its authorization server, set it as "auth.issuer"';
  throw joinFailures([first, ...others], "no protected resource metadata can be used", hint);
}

/** Asks one place; one that may not be asked at all (SSRF, CVE-2025-6514) fails as a broken one does. */
async function askPlace(
  text: string,
  request: DiscoveryRequest,
): Promise<{ readonly place: URL; readonly answer: DocumentAnswer }> {
  let place = request.server;
  try {
    place = endpointUrl(text, "the resource_metadata of the challenge");
    return { place, answer: await fetchDocument(request, place, undefined, request.signal) };
  } catch (error) {
    if (request.signal.aborted) throw error;
    return { place, answer: asBridgeError(error) };
  }
}

/** The issuers to try, in order: the configured one alone, else the pinned one before the others that the resource names. */
function issuersToTry(
  found: ResourceMetadata | undefined,
  { auth, pinned }: DiscoveryRequest,
): readonly string[] {
  if (auth.issuer !== undefined) return [auth.issuer];
  const isPinned = (issuer: string) => pinned !== undefined && isSameIssuer(issuer, pinned);
  const issuers = found?.issuers ?? [];
  return [...issuers.filter(isPinned), ...issuers.filter((issuer) => !isPinned(issuer))];
}

/** The first issuer whose metadata can be used; throws what failed at all of them. */
async function fetchFirstIssuer(
  issuers: readonly [string, ...string[]],
  request: DiscoveryRequest,
): Promise<Issuer> {
  const { auth, server, signal, sendsSecret } = request;
  const failures: DocumentFailure[] = [];
  for (const issuer of issuers) {
    try {
      const found = await fetchIssuer(issuer, request, auth.issuer !== undefined, signal);
      if (found !== undefined) return found;
      throw new BridgeError(
        "bad-answer",
        `the authorization server "${new URL(issuer).host}" publishes no metadata`,
        { hint: 'check "auth.issuer", or ask the server\'s operator' },
      );
    } catch (error) {
      // A secret does not go to the next authorization server because the first one is out of order.
      if (signal.aborted || (sendsSecret && mayPass(error))) throw error;
      failures.push({ place: URL.parse(issuer) ?? server, error: asBridgeError(error) });
    }
  }
  const [first, ...others] = failures;
  throw joinFailures([first!, ...others], "no authorization server can be used");
}

async function issuerOf(
  found: ResourceMetadata | undefined,
  request: DiscoveryRequest,
): Promise<Issuer> {
  const { server, signal } = request;
  const [first, ...others] = issuersToTry(found, request);
  if (first !== undefined) return fetchFirstIssuer([first, ...others], request);
  // MCP 2025-03-26: the server is its own authorization server, metadata or not.
  const own = await fetchIssuer(server.origin, request, true, signal);
  return own ?? legacyIssuer(server.origin);
}

/** Finds out where tokens for a server are got, in the order of all revisions of MCP. Throws a BridgeError. */
export async function discover(request: DiscoveryRequest): Promise<SignInTarget> {
  const { auth, server } = request;
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
