import type { webcrypto } from "node:crypto";
import type { ServerSettings } from "../../config/settings.ts";

export type ClientAuthMethod =
  | "none"
  | "client_secret_basic"
  | "client_secret_post"
  | "private_key_jwt";

/** The client that we are to one authorization server. */
export interface OAuthClient {
  readonly id: string;
  readonly secret?: string;
  readonly method: ClientAuthMethod;
  /** How we came by it; only a registered one can be made anew. */
  readonly source: "configured" | "metadata" | "registered";
  /** The redirect URI a registration is bound to. */
  readonly redirectUri?: string;
  /** The scope that it was registered with; undefined: any may be asked for. */
  readonly scope?: string;
  /** When its secret ends, in ms since 1970; undefined: never. */
  readonly expiresAt?: number;
}

/** Whether two issuers are the same: plain strings, but for the slash after a bare origin (Auth0 writes it). */
export function isSameIssuer(one: string, other: string): boolean {
  if (one === other) return true;
  const bare = /^(https?:\/\/[^/?#]+)\/$/;
  return one.replace(bare, "$1") === other.replace(bare, "$1");
}

/** One sign-in: its tokens and all that is needed to renew and to revoke them. */
export interface Grant {
  readonly issuer: string;
  readonly client: OAuthClient;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint?: string;
  readonly accessToken: string;
  readonly tokenType: "Bearer" | "DPoP";
  /** In ms since 1970. */
  readonly obtainedAt: number;
  /** In ms since 1970; undefined where the server does not tell. */
  readonly expiresAt?: number;
  readonly refreshToken?: string;
  /** The scope that was granted, else asked for. */
  readonly scope?: string;
  /** The `resource` of every request of this grant. */
  readonly resource?: string;
  /** Who signed in, as an ID token names them. */
  readonly account?: string;
  /** The private key that DPoP tokens are bound to. */
  readonly dpopKey?: webcrypto.JsonWebKey;
}

/** The authorization server that the last successful sign-in used, and who signed in there: it outlives the grant. */
export interface PinnedIssuer {
  readonly issuer: string;
  readonly clientId: string;
  readonly account?: string;
}

/** The stored sign-in of one server (credentials/NAME.json). */
export interface StoredGrant {
  readonly version: 1;
  readonly server: string;
  readonly origin: string;
  readonly grant?: Grant;
  /** Secrets of the configuration go to this issuer alone, unless `auth.issuer` names another one. */
  readonly pinned?: PinnedIssuer;
  /** Clients by issuer; never sent to another one. */
  readonly clients?: Readonly<Record<string, OAuthClient>>;
  /** A scope that a request needed and the grant lacked: the next sign-in asks for it, too. */
  readonly wantedScope?: string;
  /** The scope that the last sign-in asked for: what of it is not granted will not be. */
  readonly askedScope?: string;
  /** When the grant went to another machine, in ms since 1970. */
  readonly movedAt?: number;
  /** When somebody last declined to sign in, in ms since 1970. */
  readonly declinedAt?: number;
  /** The digest of the token that `headers` last printed, and when, in ms since 1970. */
  readonly handed?: { readonly digest: string; readonly at: number };
}

/** The pin that a grant makes. */
export function pinOf({ issuer, client, account }: Grant): PinnedIssuer {
  return { issuer, clientId: client.id, ...(account !== undefined && { account }) };
}

/** Never sent later than this before its end. */
const longestMarginMs = 60_000;

/** Whether an access token is used up, or will be before a request can arrive. */
export function isExpired(grant: Grant, now: number): boolean {
  if (grant.expiresAt === undefined) return false;
  const life = grant.expiresAt - grant.obtainedAt;
  return now >= grant.expiresAt - Math.min(longestMarginMs, life * 0.1);
}

/** Whether the stored sign-in belongs to this entry of the configuration: name, origin, issuer and client id. */
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

/** The union of two scopes, in the order in which words first appear; undefined where both are. */
export function joinScopes(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return [...new Set(`${one} ${other}`.split(" ").filter((word) => word !== ""))].join(" ");
}
