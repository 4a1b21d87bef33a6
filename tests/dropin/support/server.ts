/** One request to the MCP server. */
export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly rpc: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export interface McpServer extends Disposable {
  readonly port: number;
  /** The requests to the MCP endpoint, without those for metadata. */
  readonly seen: readonly Seen[];
}

const tools = ["read_file", "delete_file", "Delete_all", "x?"].map((name) => ({
  name,
  inputSchema: { type: "object" },
}));

function resultOf({
  method,
  params,
}: {
  method: string;
  params?: { protocolVersion?: string };
}): object {
  if (method === "initialize")
    return {
      protocolVersion: params?.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "both", version: "1" },
    };
  if (method === "tools/list") return { tools };
  return method === "tools/call" ? { content: [{ type: "text", text: "called" }] } : {};
}

/** An MCP server that speaks Streamable HTTP and HTTP+SSE at one URL, and sets a cookie. */
export function startServer({ delayMs = 0, hostname = "127.0.0.1" } = {}): McpServer {
  const seen: Seen[] = [];
  const streams = new Set<ReadableStreamDefaultController<string>>();
  const server = Bun.serve({
    hostname,
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname.startsWith("/.well-known/") || !["/mcp", "/message"].includes(pathname))
        return new Response(null, { status: 404 });
      // biome-ignore lint/suspicious/noExplicitAny: whatever the program sends
      const body: any = request.method === "POST" ? await request.json() : undefined;
      const headers = Object.fromEntries(request.headers);
      seen.push({ method: request.method, url: pathname + search, rpc: body?.method, headers });
      if (request.method === "GET") {
        let mine: ReadableStreamDefaultController<string>;
        const stream = new ReadableStream<string>({
          cancel: () => void streams.delete(mine),
          start(controller) {
            mine = controller;
            streams.add(controller);
            controller.enqueue(`event: endpoint\ndata: /message${search}\n\n`);
          },
        });
        return new Response(stream, { headers: { "content-type": "text/event-stream" } });
      }
      if (request.method !== "POST") return new Response(null, { status: 405 });
      if (body.id === undefined || body.method === undefined)
        return new Response(null, { status: 202 });
      if (delayMs > 0) await Bun.sleep(delayMs);
      const answer = { jsonrpc: "2.0", id: body.id, result: resultOf(body) };
      if (pathname === "/mcp")
        return Response.json(answer, { headers: { "set-cookie": "node=1; Path=/" } });
      for (const stream of streams)
        stream.enqueue(`event: message\ndata: ${JSON.stringify(answer)}\n\n`);
      return new Response(null, { status: 202 });
    },
  });
  return { port: server.port!, seen, [Symbol.dispose]: () => void server.stop(true) };
}
