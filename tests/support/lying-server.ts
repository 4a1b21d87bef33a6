type Params = Readonly<Record<string, unknown>>;
type Result = object | undefined | ((params: Params) => object);

const usual: Record<string, Result> = {
  initialize: {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "usual", version: "1" },
  },
  "tools/list": { tools: [] },
};

/**
 * An MCP server without authentication that returns the given results, and -32601 for other methods. With `status`,
 * every response has that status and no JSON.
 */
export function lyingServer(results: Record<string, Result>, status?: number) {
  const all = { ...usual, ...results };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      if (status !== undefined) return new Response("no", { status });
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method, params } = (await request.json()) as {
        id?: number;
        method: string;
        params?: Params;
      };
      if (id === undefined) return new Response(null, { status: 202 });
      const result = all[method];
      const outcome =
        result === undefined
          ? { error: { code: -32601, message: "no such method" } }
          : { result: typeof result === "function" ? result(params ?? {}) : result };
      return Response.json({ jsonrpc: "2.0", id, ...outcome });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/mcp`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
