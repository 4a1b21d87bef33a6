// @hono/mcp, with a session for each client. Prints its URL.
import { randomUUID } from "node:crypto";
import { StreamableHTTPTransport } from "@hono/mcp";
import { Hono } from "hono";
import { createServer } from "./tools.mjs";

const sessions = new Map();
const app = new Hono();
app.all("/mcp", async (context) => {
  const known = sessions.get(context.req.header("mcp-session-id"));
  if (known !== undefined) return known.handleRequest(context);
  const transport = new StreamableHTTPTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await createServer().connect(transport);
  return transport.handleRequest(context);
});
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: app.fetch });
console.log(`http://127.0.0.1:${server.port}/mcp`);
