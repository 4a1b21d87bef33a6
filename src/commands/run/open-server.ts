import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { Certificates } from "../../http/certificates.ts";
import { createHttp } from "../../http/client.ts";
import { InFlightRequests } from "../../http/in-flight.ts";
import { loggedHttp } from "../../http/request-log.ts";
import { ChosenAuthorizer } from "../../oauth/authorizer/select.ts";
import type { ServerCache } from "../../platform/server-cache.ts";
import { connect } from "../../upstream/connect.ts";
import type { Ask, ClientFacts, Upstream } from "../../upstream/core/types.ts";

interface ServerOptions {
  readonly settings: ServerSettings;
  readonly cache: ServerCache;
  readonly context: Context;
  readonly client: ClientFacts;
  readonly ask: Ask;
  /** Called with the server's entry as it stands in the file now: a credential in it is about to be taken over. */
  readonly reloaded: (fresh: ServerSettings) => void;
}

/** The server itself, as `run` reaches it. */
export interface Server {
  readonly upstream: Upstream;
  readonly authorizer: ChosenAuthorizer;
}

/** Puts together what reaches a server. Its own module, so that a start which needs no server yet does not load it. */
export function openServer(options: ServerOptions): Server {
  const { settings, cache, context, client, ask, reloaded } = options;
  const { env, log, redactor } = context;
  const { network, connectTimeoutMs } = settings;
  const certificates = new Certificates(network, env, cache, log);
  const inFlight = new InFlightRequests();
  const bare = createHttp({ network, env, certificates, connectTimeoutMs, inFlight });
  const http = loggedHttp(bare, log, settings.name);
  const authorizer = new ChosenAuthorizer(settings, {
    http,
    env,
    log,
    redactor,
    login: context.commandLine(`login --server ${settings.name}`),
    async reload() {
      const { readConfig } = await import("../../config/load.ts");
      const fresh = (await readConfig(context.paths()))?.servers.get(settings.name);
      // A credential that is meant for another origin is never taken over.
      if (fresh?.url.origin === settings.url.origin) reloaded(fresh);
      return fresh;
    },
  });
  const reach = { settings, http, inFlight, authorizer, cache, log, redactor };
  const upstream = connect({ ...reach, client, ask });
  return { upstream, authorizer };
}
