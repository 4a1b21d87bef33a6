import { afterEach } from "bun:test";

const servers: ReturnType<typeof Bun.serve>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A loopback server until the end of the test; its endpoint is `/mcp`. */
export function serveHttp(handler: (request: Request) => Response | Promise<Response>): URL {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: handler });
  servers.push(server);
  return new URL(`http://127.0.0.1:${server.port}/mcp`);
}

/** A JSON-RPC message as a JSON answer. */
export function jsonRpc(message: object, status = 200): Response {
  return Response.json({ jsonrpc: "2.0", ...message }, { status });
}

/** JSON-RPC messages as an event stream that ends. */
export function events(...messages: object[]): Response {
  const text = messages.map((one) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...one })}\n\n`);
  return new Response(text.join(""), { headers: { "content-type": "text/event-stream" } });
}

/** The answer of a server that speaks the stateless protocol alone to an initialize. */
export const noInitialize = (id: unknown) =>
  jsonRpc({ id, error: { code: -32601, message: "Method not found" } }, 404);
