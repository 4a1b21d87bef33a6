// Connects the suite's server scenarios (Streamable HTTP) to the bridge (stdio).
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js";
import { ownFolder } from "../../support/folder.ts";
import { configureBridge, type LegWord, server } from "./bridge.ts";

/** Finds the client request that a server message belongs to: HTTP has a stream for each request, stdio has one for all. */
class Streams {
  readonly #open = new Map<RequestId, unknown>();

  asked(message: JSONRPCMessage): void {
    if (!("method" in message) || !("id" in message)) return;
    const { _meta } = (message.params ?? {}) as { _meta?: { progressToken?: unknown } };
    this.#open.set(message.id, _meta?.progressToken);
  }

  /** The request; undefined where none is open. */
  of(message: JSONRPCMessage): RequestId | undefined {
    if (!("method" in message)) {
      this.#open.delete(message.id!);
      return message.id;
    }
    const { progressToken } = (message.params ?? {}) as { progressToken?: unknown };
    const ids = [...this.#open.keys()];
    const owner = ids.find(
      (id) => progressToken !== undefined && this.#open.get(id) === progressToken,
    );
    return owner ?? ids.at(-1);
  }
}

/** Requests with the name of a tool or prompt, and where it stands. */
const named: Readonly<Record<string, readonly string[]>> = {
  "tools/call": ["name"],
  "prompts/get": ["name"],
  "completion/complete": ["ref", "name"],
};

/** Adds the server's name to what the suite calls by its own name. */
function toCombined(message: JSONRPCMessage): JSONRPCMessage {
  const path = "method" in message ? named[message.method] : undefined;
  if (path === undefined) return message;
  const copy = structuredClone(message) as { params?: Record<string, unknown> };
  const key = path.at(-1)!;
  const holder = path
    .slice(0, -1)
    .reduce<Record<string, unknown> | undefined>(
      (inner, step) => inner?.[step] as Record<string, unknown> | undefined,
      copy.params,
    );
  if (typeof holder?.[key] === "string") holder[key] = `${server}__${holder[key]}`;
  return copy as JSONRPCMessage;
}

/** Takes the server's name away from listed tools and prompts: the suite looks for them by their own names. */
function fromCombined(message: JSONRPCMessage): JSONRPCMessage {
  if (!("result" in message)) return message;
  const copy = structuredClone(message) as { result: { tools?: unknown; prompts?: unknown } };
  for (const list of [copy.result.tools, copy.result.prompts])
    for (const item of Array.isArray(list) ? (list as { name: string }[]) : [])
      item.name = item.name.replace(`${server}__`, "");
  return copy as JSONRPCMessage;
}

/** Starts a bridge for `url` of its own for each session; with `combined`, it is one of two servers of a combined run. */
export function serveFront(
  url: string,
  ...words: LegWord[]
): { readonly url: string; stop(): Promise<void> } {
  const home = ownFolder();
  const { command, args, env } = configureBridge(home.path, url, "", words);
  const isCombined = words.includes("combined");
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const bridges = new Set<StdioClientTransport>();

  async function open(): Promise<WebStandardStreamableHTTPServerTransport> {
    const bridge = new StdioClientTransport({ command, args, env, stderr: "ignore" });
    bridges.add(bridge);
    const streams = new Streams();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    transport.onmessage = (message) => {
      streams.asked(message);
      void bridge.send(isCombined ? toCombined(message) : message);
    };
    transport.onclose = () => {
      bridges.delete(bridge);
      void bridge.close();
    };
    bridge.onmessage = (incoming) => {
      const message = isCombined ? fromCombined(incoming) : incoming;
      const relatedRequestId = streams.of(message);
      const options = relatedRequestId === undefined ? {} : { relatedRequestId };
      transport.send(message, options).catch(() => undefined);
    };
    await bridge.start();
    await transport.start();
    return transport;
  }

  const http = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const host = new URL(`http://${request.headers.get("host")}`).hostname;
      const origin = URL.parse(request.headers.get("origin") ?? "http://localhost");
      const isOurs = [host, origin?.hostname].every((name) =>
        /^(localhost|127\.0\.0\.1)$/.test(name ?? ""),
      );
      if (!isOurs) return new Response("forbidden", { status: 403 });
      const id = request.headers.get("mcp-session-id");
      if (id === null) return (await open()).handleRequest(request);
      const known = sessions.get(id);
      return known?.handleRequest(request) ?? new Response("no such session", { status: 404 });
    },
  });
  return {
    url: `http://127.0.0.1:${http.port}/mcp`,
    async stop() {
      await http.stop(true);
      await Promise.all([...bridges].map((bridge) => bridge.close()));
      home[Symbol.dispose]();
    },
  };
}
