import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import { BridgeError } from "../../wire/errors.ts";
import { type BearerChallenge, bearerChallenge, schemesOf } from "./challenge.ts";

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "codex-mcp-http-bridge", version: "login" },
  },
});

/** A server's answer to a request without a token. */
export interface ProbeAnswer {
  readonly status: number;
  readonly challenge: BearerChallenge | undefined;
  /** The schemes of all challenges in the answer, in lower case. */
  readonly schemes: readonly string[];
}

/** For servers that check the token only after initialize, or have no initialize (stateless protocol). */
const toolsList = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });

/** A request that any server may answer and that begins no session (MCP basic utilities, ping). */
const ping = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" });

/** Sends a ping to find out whether the server still accepts these headers: a 401 means no, an error about the missing session means yes. */
export function probeHeaders(
  server: ServerSettings,
  http: Http,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  return ask(server, http, headers, ping, signal);
}

/** Asks the server for its challenge with requests that carry no token; `headers` are the configured ones. */
export async function probe(
  server: ServerSettings,
  http: Http,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const first = await ask(server, http, headers, initialize, signal);
  if (first.status === 401) return first;
  const second = await ask(server, http, headers, toolsList, signal);
  return second.status === 401 ? second : first;
}

async function ask(
  server: ServerSettings,
  http: Http,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const timeoutError = new BridgeError(
    "timeout",
    `server "${server.name}" did not answer within 15 s`,
  );
  const clock = new AbortController();
  const timer = setTimeout(() => clock.abort(timeoutError), 15_000);
  try {
    const response = await http({
      method: "POST",
      url: server.url,
      headers: {
        ...headers,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body,
      signal: AbortSignal.any([signal, clock.signal]),
      keepalive: false,
    });
    await response.body?.cancel().catch(() => {});
    const header = response.headers.get("www-authenticate");
    return {
      status: response.status,
      challenge: bearerChallenge(header),
      schemes: schemesOf(header),
    };
  } finally {
    clearTimeout(timer);
  }
}
