// The client under test, as the suite starts it: the official SDK 2.x, speaking 2026-07-28 over stdio with the bridge.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { ownFolder } from "../support/folder.ts";
import { configureBridge, type OwnBridge, signedInTools, withSignIn } from "./support/bridge.ts";
import { play } from "./support/scenarios.ts";

/** The words of the leg; the suite adds the server's URL. */
const words = process.argv.slice(2, -1);
const url = process.argv.at(-1)!;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? "";
/** Runs without the bridge, to check the harness itself. */
const isDirect = process.env.CONFORMANCE_DIRECT === "1";

async function connect(bridge: OwnBridge): Promise<Client> {
  const client = new Client(
    { name: "suite", version: "1" },
    {
      capabilities: { elicitation: { form: {} } },
      versionNegotiation: { mode: { pin: "2026-07-28" } },
    },
  );
  client.setRequestHandler("elicitation/create", async () => {
    await client.callTool({ name: "test_mrtr_unrelated", arguments: {} });
    return { action: "accept" as const, content: { confirmed: true } };
  });
  const { command, args, env } = bridge;
  await client.connect(
    isDirect
      ? new StreamableHTTPClientTransport(new URL(url))
      : new StdioClientTransport({ command, args, env, stderr: "inherit" }),
  );
  return client;
}

using home = ownFolder();
const bridge = configureBridge(home.path, url, scenario, words);
const client = await withSignIn(bridge, () => connect(bridge));
try {
  await play(scenario, {
    tools: () => withSignIn(bridge, async () => signedInTools((await client.listTools()).tools)),
    call: (name, args) => withSignIn(bridge, () => client.callTool({ name, arguments: args })),
    async readEverything() {
      for (const { uri } of (await client.listResources()).resources)
        await client.readResource({ uri });
      for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
    },
  });
} finally {
  await client.close();
}
