import { Certificates } from "../host/certificates.ts";
import { Crowd } from "../host/crowd.ts";
import { createHttp } from "../host/http.ts";
import { loggedHttp } from "../host/http-log.ts";
import type { Memory } from "../host/memory.ts";
import type { ServerSettings } from "../host/settings.ts";
import { ChosenAuthorizer } from "../oauth/choose.ts";
import { connect } from "../upstream/connect.ts";
import type { Ask, ClientFacts, Upstream } from "../upstream/types.ts";
import type { Context } from "./command.ts";
import { commandLine } from "./command-line.ts";

interface ServerOptions {
  readonly settings: ServerSettings;
  readonly memory: Memory;
  readonly context: Context;
  readonly client: ClientFacts;
  readonly ask: Ask;
}

/** The server itself, as `run` reaches it. */
export interface Server {
  readonly upstream: Upstream;
  readonly authorizer: ChosenAuthorizer;
}

/** Puts together what reaches a server. Its own module, so that a start which needs no server yet does not load it. */
export function openServer({ settings, memory, context, client, ask }: ServerOptions): Server {
  const { env, log, redactor } = context;
  const { network, connectTimeoutMs } = settings;
  const certificates = new Certificates(network, env, memory, log);
  const crowd = new Crowd();
  const bare = createHttp({ network, env, certificates, connectTimeoutMs, crowd });
  const http = loggedHttp(bare, log, settings.name);
  const authorizer = new ChosenAuthorizer(settings, {
    http,
    env,
    log,
    redactor,
    login: commandLine(`login --server ${settings.name}`, context),
    async reload() {
      const { readConfig } = await import("../host/config.ts");
      return readConfig(context.paths())?.servers.get(settings.name);
    },
  });
  const reach = { settings, http, crowd, authorizer, memory, log, redactor };
  const upstream = connect({ ...reach, client, ask });
  return { upstream, authorizer };
}
