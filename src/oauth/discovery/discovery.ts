import type { OAuthSettings } from "../../config/settings.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import { endpointUrl, fetchDocument, type Json, stringsOf } from "../core/document.ts";
import { isSameIssuer } from "../core/grant.ts";
import { fetchIssuer, type Issuer, legacyIssuer } from "./issuer.ts";

/** Where to sign in for a server, and for what. */
export interface Discovery {
  readonly issuer: Issuer;
  /** The resource identifier to ask tokens for; undefined where the parameter is to be omitted. */
  readonly resource?: string;
  /** What the resource's metadata list (RFC 9728 2). */
  readonly resourceScopes?: readonly string[];
  /** Whether the resource takes DPoP-bound tokens only (RFC 9728 2). */
  readonly wantsDpop: boolean;
}

export interface DiscoveryRequest extends Pick<OAuthContext, "http" | "redactor"> {
  readonly server: URL;
  readonly auth: Pick<OAuthSettings, "issuer" | "resource">;
  /** From the challenge, where one came. */
  readonly resourceMetadata?: string;
  /** The issuer an earlier sign-in used: preferred where several are offered. */
  readonly known?: string;
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

function readMetadata(document: Json, { server, redactor }: DiscoveryRequest): ResourceMetadata {
  const { resource } = document;
  if (typeof resource !== "string" || !speaksFor(resource, server)) {
    const named = typeof resource === "string" ? redactor.shown(resource, 200) : "nothing";
    throw new BridgeError(
      "refused",
      `the protected resource metadata speak for ${named}, not for this server`,
      {
        hint: "check the server's URL in the configuration",
      },
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

/** The protected resource metadata: where the challenge says, else under the path, else at the root (RFC 9728 3.1). */
async function fetchResource(request: DiscoveryRequest): Promise<ResourceMetadata | undefined> {
  const { http, server, resourceMetadata, signal } = request;
  const wellKnown = `${server.origin}/.well-known/oauth-protected-resource`;
  const path = server.pathname.replace(/\/+$/, "");
  const places = [...new Set([`${wellKnown}${path}`, wellKnown])].map((place) => new URL(place));
  if (resourceMetadata !== undefined) {
    places.unshift(endpointUrl(resourceMetadata, "the resource_metadata of the challenge"));
  }
  for (const place of places) {
    const document = await fetchDocument(http, place, signal);
    if (document !== undefined) return readMetadata(document, request);
  }
  return undefined;
}

/** The issuer to use: the configured one, else the one used before, else the first. */
function pickIssuer(
  found: ResourceMetadata | undefined,
  request: DiscoveryRequest,
): string | undefined {
  const { auth, known } = request;
  if (auth.issuer !== undefined) return auth.issuer;
  const issuers = found?.issuers ?? [];
  return issuers.find((issuer) => known !== undefined && isSameIssuer(issuer, known)) ?? issuers[0];
}

async function issuerOf(name: string | undefined, request: DiscoveryRequest): Promise<Issuer> {
  const { server } = request;
  const found = await fetchIssuer(name ?? server.origin, request);
  if (found !== undefined) return found;
  // MCP 2025-03-26: the server is its own authorization server, metadata or not.
  if (name === undefined) return legacyIssuer(server.origin);
  throw new BridgeError(
    "bad-answer",
    `the authorization server "${new URL(name).host}" publishes no metadata`,
    { hint: 'check "auth.issuer", or ask the server\'s operator' },
  );
}

/** Finds out where to sign in for a server, in the order of all revisions of MCP. Throws a BridgeError. */
export async function discover(request: DiscoveryRequest): Promise<Discovery> {
  const { auth, server } = request;
  const found = await fetchResource(request);
  const issuer = await issuerOf(pickIssuer(found, request), request);
  const resource = auth.resource ?? found?.resource ?? resourceOf(server);
  return {
    issuer,
    wantsDpop: found?.wantsDpop ?? false,
    ...(resource !== false && { resource }),
    ...(found?.scopes !== undefined && { resourceScopes: found.scopes }),
  };
}
