// A server of 2026-07-28, built with the official SDK 2.x.
import {
  acceptedContent,
  createMcpHandler,
  fromJsonSchema,
  inputRequired,
  McpServer,
} from "@modelcontextprotocol/server";

interface StatelessServer extends AsyncDisposable {
  readonly url: string;
  /** HTTP requests as `METHOD rpc-method`, in order. */
  readonly seen: string[];
  /** Headers of the last tools/call. */
  headers(): Headers;
  /** Announces that the tools and the watched resource changed. */
  changeTools(): void;
  changeResource(): void;
}

/** The resource that can be subscribed to. */
export const watched = "test://watched";

const words = (text: string) => ({ content: [{ type: "text" as const, text }] });

interface Place {
  readonly region: string;
}

function makeServer(): McpServer {
  const server = new McpServer(
    { name: "modern", version: "1.2.3" },
    {
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
      instructions: "what it is for",
    },
  );
  const region = { type: "string", "x-mcp-header": "Region" };
  const place = { type: "object", properties: { region }, required: ["region"] };
  server.registerTool(
    "locate",
    {
      description: "says where",
      inputSchema: fromJsonSchema<Place>(place as never),
      annotations: { readOnlyHint: true },
    },
    ({ region: where }) => words(`in ${where}`),
  );
  server.registerTool("confirm", { description: "asks twice" }, async (ctx) => {
    const { inputResponses, requestState } = ctx.mcpReq;
    const answer = acceptedContent<{ yes?: boolean }>(inputResponses, "sure");
    if (answer !== undefined) return words(`yes=${answer.yes} state=${requestState()}`);
    if (inputResponses !== undefined) return words("not accepted");
    const properties = { yes: { type: "boolean" as const } };
    const requestedSchema = { type: "object" as const, properties };
    const sure = inputRequired.elicit({ message: "sure?", requestedSchema });
    return inputRequired({ inputRequests: { sure }, requestState: 'é"\\/\u2028 "' });
  });
  server.registerTool("work", { description: "reports progress" }, async (ctx) => {
    const { _meta, notify, log } = ctx.mcpReq;
    const progressToken = _meta?.progressToken;
    if (progressToken !== undefined)
      await notify({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    await log("info", "working");
    return words("worked");
  });
  server.registerTool("wait", { description: "ends when it is cancelled" }, async (ctx) => {
    await new Promise<void>((resolve) => {
      ctx.mcpReq.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    cancelled.resolve();
    return words("cancelled");
  });
  server.registerResource("watched", watched, { mimeType: "text/plain" }, (uri) => ({
    contents: [{ uri: uri.href, text: "content" }],
  }));
  return server;
}

let cancelled = Promise.withResolvers<void>();

/** Resolves when the next call of `wait` is cancelled. */
export function untilCancelled(): Promise<void> {
  cancelled = Promise.withResolvers<void>();
  return cancelled.promise;
}

/** Serves it on a loopback port; a session client is refused unless `legacy` is `stateless`. */
export function serveStateless(legacy: "reject" | "stateless" = "reject"): StatelessServer {
  const handler = createMcpHandler(makeServer, { legacy });
  const seen: string[] = [];
  let headers = new Headers();
  const http = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const text = await request.clone().text();
      const method = text === "" ? "" : (JSON.parse(text) as { method?: string }).method;
      seen.push(`${request.method} ${method ?? "response"}`);
      if (method === "tools/call") headers = request.headers;
      return handler.fetch(request);
    },
  });
  return {
    url: `http://127.0.0.1:${http.port}/mcp`,
    seen,
    headers: () => headers,
    changeTools: () => handler.notify.toolsChanged(),
    changeResource: () => handler.notify.resourceUpdated(watched),
    async [Symbol.asyncDispose]() {
      await handler.close();
      await http.stop(true);
    },
  };
}
