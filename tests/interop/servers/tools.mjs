// An MCP server of the TypeScript SDK with the three tools that every server of this suite has.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: String(value) }] });

export function createServer() {
  const mcp = new McpServer({ name: "interop", version: "1" }, { capabilities: { logging: {} } });
  mcp.registerTool(
    "add",
    { description: "Adds two numbers.", inputSchema: { a: z.number(), b: z.number() } },
    ({ a, b }) => text(a + b),
  );
  mcp.registerTool(
    "log",
    { description: "Sends a log message before its result." },
    async (extra) => {
      await extra.sendNotification({
        method: "notifications/message",
        params: { level: "info", data: "working" },
      });
      return text("logged");
    },
  );
  mcp.registerTool("ask", { description: "Asks the user for a name." }, async () => {
    const answer = await mcp.server.elicitInput({
      message: "Who are you?",
      requestedSchema: { type: "object", properties: { name: { type: "string" } } },
    });
    return text(`hello ${answer.content.name}`);
  });
  return mcp;
}
