import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import type { ChosenAuthorizer } from "../../oauth/authorizer/select.ts";
import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import type { FirstRequest } from "./first-request.ts";

/** Longest discovery of a sign-in. */
export const discoveryMs = 30_000;

/** The facts that the steps from HTTP to the token share. */
export interface HttpFacts {
  readonly settings: ServerSettings;
  readonly http: Http;
  readonly authorizer: ChosenAuthorizer;
  readonly first: FirstRequest;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Initializes by the child `run`; rejects with its error. */
  readonly initialized: () => Promise<unknown>;
}
