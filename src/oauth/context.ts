import type { Log } from "../host/log.ts";
import type { Environment } from "../host/paths.ts";
import type { Redactor } from "../host/redact.ts";
import type { OAuthSettings, ServerSettings } from "../host/settings.ts";
import type { GuardedHttp } from "./guard.ts";

/** What every OAuth operation for one server gets. */
export interface OAuthContext {
  readonly server: ServerSettings;
  /** The entry's settings, or the defaults where it has none. */
  readonly auth: OAuthSettings;
  readonly http: GuardedHttp;
  readonly env: Environment;
  readonly redactor: Redactor;
  readonly log: Log;
  /** The command that signs in, ready to copy. */
  readonly login: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Waits; rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The OAuth settings of a server: what stands in its entry, else the defaults. */
export function oauthSettings({ credential }: ServerSettings): OAuthSettings {
  return credential.type === "oauth"
    ? credential.auth
    : { grant: "authorization_code", store: "file" };
}
