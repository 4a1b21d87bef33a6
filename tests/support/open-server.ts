import type { ServerEntry } from "../../src/config/schema.ts";
import { serverSettings } from "../../src/config/settings-builder.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import type { Ask, ClientFacts } from "../../src/upstream/core/types.ts";
import { openServer, type Server } from "../../src/upstream/open-server.ts";
import type { OnFailure } from "../../src/upstream/stand-in/start-guard.ts";
import { memoryLog, type RelayClient, relayClient } from "./client.ts";

export interface OpenedClient extends RelayClient {
  readonly cache: ServerCache;
  /** Log events of the chain. */
  readonly events: readonly string[];
  /** Sends a request; resolves to its answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  call(method: string, params?: object): Promise<any>;
  /** Names of the tools on the first page. */
  tools(): Promise<string[]>;
}

interface Choices {
  readonly waitsForStart?: boolean;
  readonly onFailure?: OnFailure;
  readonly nextCall?: () => number;
  readonly answersDiscovery?: boolean;
}

interface Opening {
  readonly home?: string;
  /** The cache of an earlier run. */
  readonly cache?: ServerCache;
  /** `params._meta` of each request, as a stateless client sends it. */
  readonly meta?: object;
  /** Options of openServer(). */
  readonly choices?: Choices;
}

interface Chain {
  readonly home: string;
  readonly client: ClientFacts;
  readonly ask: Ask;
  readonly log: ReturnType<typeof memoryLog>;
  readonly cache?: ServerCache | undefined;
}

/** The whole chain of a server (tool policy, catalog, down to HTTP) in this process. */
export function openedChain(
  name: string,
  entry: object & { readonly url: string },
  { home, client, ask, log, cache }: Chain,
  choices: Choices = {},
): Pick<Server, "upstream" | "audit"> & { readonly cache: ServerCache } {
  const plain: ServerEntry = { auth: { type: "none" }, ...entry };
  const settings = serverSettings(name, plain, {}, { home, stateRoot: home });
  const kept = cache ?? new ServerCache(undefined, settings.url, log);
  const { upstream, audit } = openServer(settings, {
    env: {},
    log,
    redactor: new Redactor(),
    cache: kept,
    client,
    ask,
    waitsForStart: false,
    commandLine: (words) => words,
    paths: () => homeOf({ CODEX_MCP_BRIDGE_HOME: home }),
    mayAnswer: true,
    signIn: "never",
    onFailure: "error",
    ...choices,
  });
  return { upstream, audit, cache: kept };
}

/** A client at the whole chain of server "kb", below a relay, in this process. */
export function openedClient(
  entry: { readonly url: string; readonly [key: string]: unknown },
  { home = "/nonexistent", cache, meta, choices }: Opening = {},
): OpenedClient {
  const log = memoryLog();
  let kept!: ServerCache;
  const client: RelayClient = relayClient((facts) => {
    const ask: Ask = (request, signal) => client.relay.ask(request, signal);
    const opened = openedChain("kb", entry, { home, client: facts, ask, log, cache }, choices);
    kept = opened.cache;
    return opened.upstream;
  });
  let ids = 0;
  const call = async (method: string, params: object = {}) => {
    const id = ids++;
    client.send({ id, method, params: { ...params, ...(meta && { _meta: meta }) } });
    for (;;) {
      const message = await client.next();
      if (message.id === id && message.method === undefined) return message;
    }
  };
  const tools = async () =>
    (await call("tools/list")).result.tools.map(({ name }: { name: string }) => name);
  return { ...client, cache: kept, events: log.events, call, tools };
}

/** Does the handshake of a session client. */
export async function initialize(client: OpenedClient, protocolVersion = "2025-06-18") {
  const clientInfo = { name: "test", version: "1" };
  const answer = await client.call("initialize", { protocolVersion, capabilities: {}, clientInfo });
  client.send({ method: "notifications/initialized" });
  return answer;
}
