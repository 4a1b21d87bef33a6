import type { OAuthSettings, ServerSettings } from "../../config/settings.ts";
import type { Log } from "../../platform/log.ts";
import type { Environment } from "../../platform/paths.ts";
import type { Redactor } from "../../platform/redact.ts";
import type { GuardedHttp } from "./ssrf-guard.ts";

/** The arguments that every OAuth operation for one server needs. */
export interface OAuthContext {
  readonly server: ServerSettings;
  /** The OAuth settings of the server's entry, or the defaults if it has none. */
  readonly auth: OAuthSettings;
  readonly http: GuardedHttp;
  readonly env: Environment;
  readonly redactor: Redactor;
  readonly log: Log;
  /** The command that signs in, ready to copy. */
  readonly login: string;
  /** Token endpoints that refused a client id in the body of a request with Basic authentication. */
  readonly withoutClientId: Set<string>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Resolves after `ms`; rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Whether the server certainly uses OAuth: the configuration says so, or its challenge names resource metadata. */
export function isOAuthCertain(
  { server }: Pick<OAuthContext, "server">,
  challenge: { readonly resourceMetadata?: string } | undefined,
): boolean {
  return server.credential.type === "oauth" || challenge?.resourceMetadata !== undefined;
}

/** The OAuth settings of a server's entry, else the defaults. */
export function oauthOf({ credential }: ServerSettings): OAuthSettings {
  return credential.type === "oauth"
    ? credential.auth
    : { grant: "authorization_code", store: "file" };
}
