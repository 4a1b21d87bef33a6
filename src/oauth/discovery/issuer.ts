import { asBridgeError, BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import {
  type DocumentFailure,
  endpointUrl,
  fetchDocument,
  type JsonObject,
  joinFailures,
  stringsOf,
} from "../core/document.ts";
import { isSameIssuer } from "../core/grant.ts";

/** The metadata of an authorization server (RFC 8414 2, RFC 9207 3); every endpoint passed endpointUrl. */
export interface Issuer {
  /** Spelled exactly as in the metadata, because `iss` is compared with it as a string. */
  readonly issuer: string;
  readonly authorizationEndpoint?: string;
  readonly tokenEndpoint: string;
  readonly registrationEndpoint?: string;
  readonly revocationEndpoint?: string;
  readonly deviceEndpoint?: string;
  readonly scopes?: readonly string[];
  readonly grantTypes?: readonly string[];
  readonly clientAuthMethods?: readonly string[];
  readonly pkceMethods?: readonly string[];
  readonly dpopAlgorithms?: readonly string[];
  readonly sendsIss: boolean;
  readonly takesClientMetadata: boolean;
  /** True if the server publishes no metadata, so that these are the default endpoints of MCP 2025-03-26. */
  readonly isAssumed?: true;
}

/** The well-known URLs of an issuer, in the order of MCP 2026-07-28 (authorization, discovery). */
export function metadataUrls(issuer: URL): URL[] {
  const path = issuer.pathname.replace(/\/+$/, "");
  const { origin } = issuer;
  const places =
    path === ""
      ? ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
      : [
          `/.well-known/oauth-authorization-server${path}`,
          `/.well-known/openid-configuration${path}`,
          `${path}/.well-known/openid-configuration`,
        ];
  return places.map((place) => new URL(origin + place));
}

function issuerFrom(document: JsonObject): Issuer {
  const endpoint = (name: string) =>
    document[name] === undefined || document[name] === null
      ? undefined
      : endpointUrl(document[name], `the ${name} in the metadata`).href;
  const tokenEndpoint = endpoint("token_endpoint");
  if (tokenEndpoint === undefined) {
    throw new BridgeError(
      "bad-answer",
      "the authorization server's metadata name no token_endpoint",
    );
  }
  const optional = {
    authorizationEndpoint: endpoint("authorization_endpoint"),
    registrationEndpoint: endpoint("registration_endpoint"),
    revocationEndpoint: endpoint("revocation_endpoint"),
    deviceEndpoint: endpoint("device_authorization_endpoint"),
    scopes: stringsOf(document.scopes_supported),
    grantTypes: stringsOf(document.grant_types_supported),
    clientAuthMethods: stringsOf(document.token_endpoint_auth_methods_supported),
    pkceMethods: stringsOf(document.code_challenge_methods_supported),
    dpopAlgorithms: stringsOf(document.dpop_signing_alg_values_supported),
  };
  const known = Object.fromEntries(
    Object.entries(optional).filter(([, value]) => value !== undefined),
  );
  return {
    ...known,
    issuer: String(document.issuer),
    tokenEndpoint,
    sendsIss: document.authorization_response_iss_parameter_supported === true,
    takesClientMetadata: document.client_id_metadata_document_supported === true,
  };
}

/** The endpoints of a server of MCP 2025-03-26 that publishes no metadata at all. */
export function legacyIssuer(origin: string): Issuer {
  return {
    issuer: origin,
    authorizationEndpoint: `${origin}/authorize`,
    tokenEndpoint: `${origin}/token`,
    registrationEndpoint: `${origin}/register`,
    // MCP 2025-03-26 demands PKCE of every server.
    pkceMethods: ["S256"],
    sendsIss: false,
    takesClientMetadata: false,
    isAssumed: true,
  };
}

/** A well-known URL of no specification for an issuer with a path: of servers that treat both documents alike. */
function appendedUrls({ origin, pathname }: URL): URL[] {
  const path = pathname.replace(/\/+$/, "");
  return path === "" ? [] : [new URL(`${origin}${path}/.well-known/oauth-authorization-server`)];
}

/** Well-known URLs at the root of the host of an issuer with a path. The specification does not list them; hosts with a single issuer use them. */
function rootUrls(issuer: URL): URL[] {
  return issuer.pathname.replace(/\/+$/, "") === "" ? [] : metadataUrls(new URL(issuer.origin));
}

/**
 * Fetches the metadata of an issuer; undefined if none of the well-known URLs has a document. A document at the root of the host
 * may name that root as its issuer, unless `isExact`: the user named the issuer then. Throws `refused` for metadata of
 * another issuer (mix-up, RFC 8414 3.3), else the failures of all places.
 */
export async function fetchIssuer(
  issuer: string,
  context: Pick<OAuthContext, "http" | "redactor" | "sleep">,
  isExact: boolean,
  signal: AbortSignal,
): Promise<Issuer | undefined> {
  const url = endpointUrl(issuer, "the issuer");
  const failures: DocumentFailure[] = [];
  const roots = rootUrls(url);
  for (const place of [...metadataUrls(url), ...appendedUrls(url), ...roots]) {
    const answer = await fetchDocument(context, place, issuer, signal);
    if (answer === "none") continue;
    const mayNameRoot = !isExact && roots.includes(place);
    const found =
      answer instanceof BridgeError
        ? answer
        : readIssuer(answer, mayNameRoot ? [issuer, url.origin] : [issuer], context);
    if (!(found instanceof BridgeError)) return found;
    failures.push({ place, error: found });
  }
  const [first, ...others] = failures;
  if (first === undefined) return undefined;
  throw joinFailures(
    [first, ...others],
    `no metadata of "${url.host}" can be used`,
    isExact
      ? settingHint('check "auth.issuer"')
      : "try again later, then ask the operator of that server",
  );
}

/** Reads the issuer of a metadata document; an error if its name is not among `accepted`, or the document is incomplete. */
function readIssuer(
  document: JsonObject,
  accepted: readonly [string, ...string[]],
  { redactor }: Pick<OAuthContext, "redactor">,
): Issuer | BridgeError {
  const named = document.issuer;
  if (typeof named !== "string" || !accepted.some((issuer) => isSameIssuer(named, issuer))) {
    const shown = typeof named === "string" ? redactor.shown(named, 200) : "no issuer";
    return new BridgeError(
      "refused",
      `the metadata of the authorization server "${new URL(accepted[0]).host}" belong to another issuer: ${shown}`,
      {
        hint: settingHint(
          'the server\'s operator must correct them; if you know the right issuer, set it as "auth.issuer"',
        ),
      },
    );
  }
  try {
    return issuerFrom(document);
  } catch (error) {
    return asBridgeError(error);
  }
}
