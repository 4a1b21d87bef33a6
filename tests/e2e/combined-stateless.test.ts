import { expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { startEverything } from "../support/everything.ts";
import { serveStateless } from "../support/stateless-server.ts";
import { stdioBridge } from "../support/stdio-bridge.ts";

test("a stateless client of the official SDK uses a stateless server, a session server and an HTTP+SSE server as one", async () => {
  await using http = await startEverything("streamableHttp");
  await using sse = await startEverything("sse");
  await using stateless = serveStateless();
  using bridge = stdioBridge(
    { url: stateless.url },
    { http: { url: http.url }, sse: { url: sse.url } },
  );
  const client = new Client(
    { name: "modern", version: "1" },
    {
      capabilities: { elicitation: { form: {} } },
      versionNegotiation: { mode: "auto" },
    },
  );
  const asked: string[] = [];
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    asked.push(params.message);
    return { action: "accept" as const, content: { yes: true } };
  });
  await client.connect(new StdioClientTransport({ ...bridge.parameters }));
  const instructions = client.getInstructions();
  expect(instructions).toContain("http: ");
  expect(instructions).toContain("sse: ");
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["kb__locate", "http__echo", "sse__echo"]));
  const call = async (name: string, args: Record<string, unknown>) =>
    JSON.stringify(await client.callTool({ name, arguments: args }));
  expect(await call("http__echo", { message: "one" })).toContain("Echo: one");
  expect(await call("sse__echo", { message: "two" })).toContain("Echo: two");
  expect(await call("kb__locate", { region: "Bern" })).toContain("in Bern");
  expect(await call("kb__confirm", {})).toContain("yes=true");
  await call("http__trigger-elicitation-request", {});
  expect(asked.map((message) => message.split(":")[0])).toEqual(["kb", "http"]);
  await client.close();
}, 20_000);
