import type { ServerSettings } from "../../src/config/settings.ts";
import type { Http } from "../../src/http/client.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { connect } from "../../src/upstream/connect.ts";
import { RequestIds } from "../../src/upstream/core/request-ids.ts";
import type { Upstream } from "../../src/upstream/core/types.ts";
import { memoryLog, plainHttp, type RelayClient, relayClient } from "./client.ts";
import { plainSettings } from "./settings.ts";

/** A client and the whole chain from relay to HTTP in this process. */
export interface ChainClient extends RelayClient {
  readonly cache: ServerCache;
  /** Log events of the chain. */
  readonly events: readonly string[];
  readonly upstream: Upstream;
  /** Sends initialize and notifications/initialized; resolves to the answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  start(capabilities?: object, protocolVersion?: string): Promise<any>;
  /** Sends a request; resolves to the messages up to its answer, which is the last. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  call(method: string, params?: object): Promise<any[]>;
}

/** Connects to `url`; `remembered` is the cache of an earlier run. */
export function chainClient(
  url: URL,
  {
    remembered,
    lostPrefix,
    http = plainHttp(url),
    ...changes
  }: Partial<ServerSettings> & {
    readonly remembered?: string;
    readonly lostPrefix?: string;
    readonly http?: Http;
  } = {},
): ChainClient {
  const log = memoryLog();
  const cache = new ServerCache(undefined, url, log);
  if (remembered !== undefined) cache.set("transport", remembered);
  if (lostPrefix !== undefined) cache.set("lostPrefix", lostPrefix);
  let upstream!: Upstream;
  const { timeoutMs } = changes;
  const client: RelayClient = relayClient(
    (facts) => {
      upstream = connect({
        settings: plainSettings(url, changes),
        http,
        authorizer: { headers: async () => ({}), refused: async () => false },
        cache,
        log,
        redactor: new Redactor(),
        client: facts,
        ask: (request, signal) => client.relay.ask(request, signal),
        ids: new RequestIds(),
      });
      return upstream;
    },
    timeoutMs === undefined ? {} : { timeoutMs },
  );
  let ids = 0;
  const call = async (method: string, params: object = {}) => {
    const id = ids++;
    client.send({ id, method, params });
    for (const came = []; ; ) {
      const message = await client.next();
      came.push(message);
      if (message.id === id && message.method === undefined) return came;
    }
  };
  return {
    ...client,
    cache,
    events: log.events,
    upstream,
    call,
    async start(capabilities = {}, protocolVersion = "2025-06-18") {
      const clientInfo = { name: "chain", version: "1" };
      const came = await call("initialize", { protocolVersion, capabilities, clientInfo });
      client.send({ method: "notifications/initialized" });
      return came.at(-1);
    },
  };
}
