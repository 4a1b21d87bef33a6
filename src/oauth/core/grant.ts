import type { webcrypto } from "node:crypto";
import type { ServerSettings } from "../../config/settings.ts";

export type ClientAuthMethod =
  | "none"
  | "client_secret_basic"
  | "client_secret_post"
  | "private_key_jwt";

/** Our OAuth client at one authorization server. */
export interface OAuthClient {
  readonly id: string;
  readonly secret?: string;
  readonly method: ClientAuthMethod;
  /** Where the client id comes from: `clientId`, `clientMetadataUrl`, or dynamic registration, which can be repeated. */
  readonly source: "configured" | "metadata" | "registered";
  /** The redirect URI that was registered. */
  readonly redirectUri?: string;
  /** The scope of the registration; undefined: the client may request any scope. */
  readonly scope?: string;
  /** When the secret expires, in ms since 1970; undefined: never. */
  readonly expiresAt?: number;
}

/** Compares two issuers as strings; one trailing slash after a bare origin is ignored (Auth0 writes it). */
export function isSameIssuer(one: string, other: string): boolean {
  if (one === other) return true;
  const bare = /^(https?:\/\/[^/?#]+)\/$/;
  return one.replace(bare, "$1") === other.replace(bare, "$1");
}

/** The tokens of one sign-in, and everything that is needed to refresh and to revoke them. */
export interface Grant {
  readonly issuer: string;
  readonly client: OAuthClient;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint?: string;
  readonly accessToken: string;
  readonly tokenType: "Bearer" | "DPoP";
  /** When the access token was issued or last refreshed, in ms since 1970. */
  readonly obtainedAt: number;
  /** When the access token expires, in ms since 1970; undefined if the server does not say. */
  readonly expiresAt?: number;
  readonly refreshToken?: string;
  /** The scope in the token response; if the response has none, the requested scope. */
  readonly scope?: string;
  /** The `resource` parameter of every token request of this grant (RFC 8707). */
  readonly resource?: string;
  /** The account that the ID token names. */
  readonly account?: string;
  /** When a person signed in, in ms since 1970; a refresh does not change it. Undefined for a machine grant. */
  readonly signedInAt?: number;
  /** The private key that DPoP tokens are bound to. */
  readonly dpopKey?: webcrypto.JsonWebKey;
}

/** The authorization server of the last successful sign-in, and who signed in there; kept when the grant is deleted. */
export interface PinnedIssuer {
  readonly issuer: string;
  readonly clientId: string;
  readonly account?: string;
  /** The grant's `signedInAt` if the server names no account. */
  readonly signedInAt?: number;
}

/** The stored sign-in of one server (credentials/NAME.json). */
export interface StoredGrant {
  readonly version: 1;
  readonly server: string;
  readonly origin: string;
  readonly grant?: Grant;
  /** Configured secrets are sent to this issuer only, unless `auth.issuer` names another issuer. */
  readonly pinned?: PinnedIssuer;
  /** Registered clients by issuer; a client is never sent to another issuer. */
  readonly clients?: Readonly<Record<string, OAuthClient>>;
  /** A scope that the server requires and the grant lacks; the next sign-in requests it as well. */
  readonly wantedScope?: string;
  /** Scopes asked for last time; those missing from the grant were denied, so do not ask again. */
  readonly askedScope?: string;
  /** When the grant was exported to another machine, in ms since 1970. */
  readonly movedAt?: number;
  /** When a person last declined to sign in, in ms since 1970. */
  readonly declinedAt?: number;
  /** Digest of the access token that the command `headers` printed last, and when, in ms since 1970. */
  readonly handed?: { readonly digest: string; readonly at: number };
}

/** The issuer and account to pin for a grant. */
export function pinOf({ issuer, client, account, signedInAt }: Grant): PinnedIssuer {
  return {
    issuer,
    clientId: client.id,
    ...(account === undefined ? signedInAt !== undefined && { signedInAt } : { account }),
  };
}

/** A token is refreshed this long before it expires, or a tenth of its lifetime if that is shorter. */
const longestMarginMs = 60_000;

/** Whether an access token has expired, or expires before a request with it can arrive. */
export function isExpired(grant: Grant, now: number): boolean {
  if (grant.expiresAt === undefined) return false;
  const life = grant.expiresAt - grant.obtainedAt;
  return now >= grant.expiresAt - Math.min(longestMarginMs, life * 0.1);
}

/** Whether a stored sign-in belongs to this entry of the configuration: same name, origin, issuer and client id. */
export function belongsTo(stored: StoredGrant, server: ServerSettings): boolean {
  if (stored.server !== server.name || stored.origin !== server.url.origin) return false;
  const { grant } = stored;
  if (grant === undefined || server.credential.type !== "oauth") return true;
  const { issuer, clientId, clientMetadataUrl } = server.credential.auth;
  if (issuer !== undefined && !isSameIssuer(issuer, grant.issuer)) return false;
  const { id, source } = grant.client;
  const expected = clientId ?? (source === "metadata" ? clientMetadataUrl : id);
  return expected === id;
}

/** Whether a value is an instant, in ms since 1970, that Date can represent. A number in a file, or of a server, may be any. */
export const isInstant = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value <= 8.64e15;

/** The union of two scopes, in order of first appearance; undefined where both are undefined. */
export function joinScopes(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return [...new Set(`${one} ${other}`.split(" ").filter((word) => word !== ""))].join(" ");
}
