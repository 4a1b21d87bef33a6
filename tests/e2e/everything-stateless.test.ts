import { expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { startEverything } from "../support/everything.ts";
import { stdioBridge } from "../support/stdio-bridge.ts";

const discover = {
  supportedVersions: ["2026-07-28"],
  capabilities: { tools: {}, resources: {}, prompts: {} },
};

const textOf = (result: object) => JSON.stringify(result);

test.each([
  ["that falls back", "streamableHttp", undefined],
  ["that falls back", "sse", undefined],
  ["that does not fall back", "streamableHttp", { kind: "modern", discover }],
  ["that does not fall back", "sse", { kind: "modern", discover }],
] as const)(
  "a stateless client %s is served by the everything server over %s",
  async (_, transport, prior) => {
    await using server = await startEverything(transport);
    using bridge = stdioBridge({ url: server.url });
    const client = new Client(
      { name: "modern", version: "1" },
      {
        capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} },
        versionNegotiation: { mode: "auto" },
      },
    );
    const asked: string[] = [];
    client.setRequestHandler("elicitation/create", async () => {
      asked.push("elicitation");
      return { action: "accept" as const, content: {} };
    });
    client.setRequestHandler("sampling/createMessage", async () => {
      asked.push("sampling");
      const content = { type: "text" as const, text: "sampled" };
      return { model: "m", role: "assistant" as const, content };
    });
    client.setRequestHandler("roots/list", async () => ({ roots: [] }));
    await client.connect(
      new StdioClientTransport({ ...bridge.parameters }),
      // biome-ignore lint/suspicious/noExplicitAny: the SDK's type asks for more than it reads
      prior === undefined ? {} : { prior: prior as any },
    );
    expect((await client.listTools()).tools.length).toBeGreaterThan(12);
    const echoed = await client.callTool({ name: "echo", arguments: { message: "hé" } });
    expect(textOf(echoed)).toContain("Echo: hé");
    await client.callTool({ name: "trigger-elicitation-request", arguments: {} });
    const sampled = await client.callTool({
      name: "trigger-sampling-request",
      arguments: { prompt: "p" },
    });
    expect(textOf(sampled)).toContain("sampled");
    expect(asked.toSorted()).toEqual(["elicitation", "sampling"]);
    await client.close();
  },
  20_000,
);
