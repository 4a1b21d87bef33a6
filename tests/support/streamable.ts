import { expect } from "bun:test";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { connect } from "../../src/upstream/connect.ts";
import { RequestIds } from "../../src/upstream/core/request-ids.ts";
import { memoryLog, plainHttp, type RelayClient, relayClient } from "./client.ts";
import { jsonRpc } from "./serve-http.ts";
import { plainSettings } from "./settings.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** Settings that allow Streamable HTTP alone. */
export const streamableSettings = (url: URL, timeoutMs = 5000) =>
  plainSettings(url, { transport: "http", timeoutMs });

/** A cache that knows the server as one of the session protocol, so that no probe comes first. */
export function sessionCache(url: URL): ServerCache {
  const cache = new ServerCache(undefined, url, memoryLog());
  cache.set("transport", "streamable-http");
  return cache;
}

/** A client of a server of the session protocol, over Streamable HTTP. */
export function streamableClient(
  url: URL,
  cache = sessionCache(url),
  timeoutMs = 5000,
): RelayClient {
  return relayClient(
    (client) =>
      connect({
        settings: streamableSettings(url, timeoutMs),
        http: plainHttp(url),
        authorizer: { headers: async () => ({}), refused: async () => false },
        cache,
        log: memoryLog(),
        redactor: new Redactor(),
        client,
        ids: new RequestIds(),
        ask: () => Promise.reject(new Error("nobody asks here")),
      }),
    { timeoutMs },
  );
}

/** The result of initialize of a server of the session protocol. */
export const initializeResult = {
  protocolVersion: "2025-06-18",
  capabilities: {},
  serverInfo: { name: "s", version: "1" },
};

/** The response to initialize that opens a session. */
export function opened(id: unknown, session: string): Response {
  const answer = jsonRpc({ id, result: initializeResult });
  answer.headers.set("mcp-session-id", session);
  return answer;
}

interface Body {
  readonly id: number;
  readonly method: string | undefined;
  readonly params: object;
}

/** A handler that does the handshake; `rest` answers the other requests. */
export function withHandshake(
  rest: (request: Request, body: Body) => Response | Promise<Response>,
): Handler {
  return async (request) => {
    if (request.method !== "POST") return rest(request, { id: -1, method: undefined, params: {} });
    const body = (await request.json()) as Body;
    if (body.method === "initialize") return opened(body.id, "s-1");
    if (body.method === "notifications/initialized") return new Response(null, { status: 202 });
    return rest(request, body);
  };
}

/** Sends initialize and notifications/initialized. */
export async function handshake(client: RelayClient): Promise<void> {
  client.send({
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {} },
  });
  expect((await client.next()).result.protocolVersion).toBe("2025-06-18");
  client.send({ method: "notifications/initialized" });
}
