import type { ServerSettings } from "../config/settings.ts";
import type { Http } from "../http/client.ts";
import { openHttp } from "../http/open-http.ts";
import { ChosenAuthorizer } from "../oauth/authorizer/select.ts";
import type { Log } from "../platform/log.ts";
import type { Environment } from "../platform/paths.ts";
import type { Redactor } from "../platform/redact.ts";
import type { ServerCache } from "../platform/server-cache.ts";
import { connect } from "./connect.ts";
import type { RequestIds } from "./core/request-ids.ts";
import type { Ask, ClientFacts, Upstream } from "./core/types.ts";
import type { ReadBudget } from "./transport/read-budget.ts";

export interface ConnectServerOptions {
  readonly env: Environment;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly cache: ServerCache;
  readonly client: ClientFacts;
  readonly ask: Ask;
  readonly ids: RequestIds;
  /** Shared by the servers of a combined run. */
  readonly budget?: ReadBudget;
  /** Whether to wait for an unreachable server as long as a start may take. */
  readonly waitsForStart: boolean;
  /** Whether server/discover is answered for a session server, too: a combined run answers it for all servers. */
  readonly answersDiscovery?: boolean;
  /** Records the exchanges with a server; absent if the run is not recorded. */
  readonly recordHttp?: ((http: Http, server: ServerSettings) => Http) | undefined;
  /** The command line that signs in. */
  readonly login: string;
  /** Reads the server's entry again; undefined if it was removed. */
  readonly reload: () => Promise<ServerSettings | undefined>;
}

/** The part of openServer() that is loaded lazily: HTTP, the authorizer, and the chain from the protocol down to HTTP. */
export function connectServer(
  settings: ServerSettings,
  {
    env,
    log,
    redactor,
    cache,
    client,
    ask,
    ids,
    budget,
    waitsForStart,
    answersDiscovery = false,
    recordHttp,
    login,
    reload,
  }: ConnectServerOptions,
): { readonly upstream: Upstream; readonly authorizer: ChosenAuthorizer } {
  const reach = openHttp(settings, { env, log, cache });
  const deps = { http: reach.http, env, log, redactor, login, reload };
  const authorizer = new ChosenAuthorizer(settings, deps);
  const own = budget && { budget };
  const shared = {
    cache,
    log,
    redactor,
    client,
    ask,
    ids,
    waitsForStart,
    answersDiscovery,
    ...own,
  };
  const { inFlight } = reach;
  const http = recordHttp?.(reach.http, settings) ?? reach.http;
  const upstream = connect({ settings, http, inFlight, authorizer, ...shared });
  return { upstream, authorizer };
}
