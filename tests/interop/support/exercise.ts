import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { stdioBridge } from "../../support/stdio-bridge.ts";

const checks = ["tools", "call", "log message", "elicitation"] as const;
type Results = Record<(typeof checks)[number], boolean>;

/** What the server does for the official client, asked through the bridge. */
export async function exerciseThroughBridge(url: string): Promise<Results> {
  using bridge = stdioBridge({ url });
  return await exercise(new StdioClientTransport(bridge.parameters));
}

/** The same without the bridge. */
export function exerciseDirectly(url: string): Promise<Results> {
  return exercise(new StreamableHTTPClientTransport(new URL(url)) as never);
}

async function exercise(transport: Parameters<Client["connect"]>[0]): Promise<Results> {
  const client = new Client(
    { name: "interop", version: "1" },
    { capabilities: { elicitation: {} } },
  );
  const logged = Promise.withResolvers<boolean>();
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    if (JSON.stringify(params.data).includes("working")) logged.resolve(true);
  });
  client.setRequestHandler(ElicitRequestSchema, async () => ({
    action: "accept" as const,
    content: { name: "Ada" },
  }));
  const call = async (name: string, args = {}) => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as { text?: string }[])[0]?.text;
  };
  const attempt = (work: () => Promise<boolean>) => work().catch(() => false);
  try {
    await client.connect(transport);
    if (client.getServerCapabilities()?.logging) await client.setLoggingLevel("info");
    const tools = await attempt(async () =>
      (await client.listTools()).tools.some(({ name }) => name === "add"),
    );
    const sum = await attempt(async () => (await call("add", { a: 2, b: 3 })) === "5");
    const isLogged = await attempt(async () => {
      await call("log");
      return Promise.race([logged.promise, Bun.sleep(1000).then(() => false)]);
    });
    const isAsked = await attempt(async () => (await call("ask")) === "hello Ada");
    return { tools, call: sum, "log message": isLogged, elicitation: isAsked };
  } finally {
    await client.close();
  }
}
