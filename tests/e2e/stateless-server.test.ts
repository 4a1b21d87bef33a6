import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client as StatelessClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as StatelessStdio } from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { serveStateless, untilCancelled, watched } from "../support/stateless-server.ts";
import { stdioBridge } from "../support/stdio-bridge.ts";

async function sessionClient(parameters: ReturnType<typeof stdioBridge>["parameters"]) {
  const client = new Client(
    { name: "legacy", version: "1" },
    { capabilities: { elicitation: {} } },
  );
  client.setRequestHandler(ElicitRequestSchema, () => ({
    action: "accept",
    content: { yes: true },
  }));
  await client.connect(new StdioClientTransport({ ...parameters }));
  return client;
}

const textOf = (result: object) =>
  ((result as { content?: { text?: string }[] }).content ?? [])[0]?.text;

test("a session client can use a stateless-only server; the protocol is detected once and stored", async () => {
  await using server = serveStateless();
  using bridge = stdioBridge({ url: server.url });
  for (const times of [1, 2]) {
    const client = await sessionClient(bridge.parameters);
    expect(client.getServerVersion()).toEqual({ name: "modern", version: "1.2.3" });
    expect(client.getInstructions()).toBe("what it is for");
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("locate");
    const found = await client.callTool({ name: "locate", arguments: { region: "Zürich" } });
    expect(textOf(found)).toBe("in Zürich");
    expect(server.headers().get("mcp-param-region")).toBe("=?base64?WsO8cmljaA==?=");
    await client.ping();
    await client.close();
    const cache = JSON.parse(readFileSync(join(bridge.home, "cache/kb.json"), "utf8"));
    expect(cache.facts.transport).toBe("stateless-http");
    expect(server.seen.filter((one) => one === "POST server/discover")).toHaveLength(times);
    // Only the first start tries initialize, which the server refuses.
    expect(server.seen.filter((one) => one === "POST initialize")).toHaveLength(1);
    expect(server.seen).not.toContain("POST ping");
  }
}, 20_000);

test("input that the server requires is requested from the client, and the server's state is returned unchanged", async () => {
  await using server = serveStateless();
  using bridge = stdioBridge({ url: server.url });
  const client = await sessionClient(bridge.parameters);
  const result = await client.callTool({ name: "confirm", arguments: {} });
  expect(textOf(result)).toBe('yes=true state=é"\\/\u2028 "');
  await client.close();
}, 20_000);

test("progress, log level, subscriptions and list changes are translated", async () => {
  await using server = serveStateless();
  using bridge = stdioBridge({ url: server.url });
  const client = await sessionClient(bridge.parameters);
  const logged = Promise.withResolvers<unknown>();
  const updated = Promise.withResolvers<string>();
  const changed = Promise.withResolvers<void>();
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
    logged.resolve(params.data),
  );
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) =>
    updated.resolve(params.uri),
  );
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => changed.resolve());
  await client.setLoggingLevel("info");
  // The SDK forgets a progress handler with the result, which comes in the same breath: so look at the wire.
  const said: string[] = [];
  const take = client.transport!.onmessage!;
  client.transport!.onmessage = (message) => {
    if ("method" in message) said.push(message.method);
    take(message);
  };
  await client.callTool({ name: "work", arguments: {} }, undefined, { onprogress: () => {} });
  expect(said[0]).toBe("notifications/progress");
  expect(await logged.promise).toBe("working");
  await client.subscribeResource({ uri: watched });
  server.changeResource();
  server.changeTools();
  expect(await updated.promise).toBe(watched);
  await changed.promise;
  await client.close();
}, 20_000);

test("a cancelled call ends at the server, and no further request is sent for it", async () => {
  await using server = serveStateless();
  using bridge = stdioBridge({ url: server.url });
  const client = await sessionClient(bridge.parameters);
  const cancelled = untilCancelled();
  const controller = new AbortController();
  const call = client
    .callTool({ name: "wait", arguments: {} }, undefined, { signal: controller.signal })
    .catch((error: Error) => error);
  while (!server.seen.includes("POST tools/call")) await Bun.sleep(1);
  controller.abort("enough");
  await cancelled;
  expect(await call).toBeInstanceOf(Error);
  await client.close();
  expect(server.seen).not.toContain("POST notifications/cancelled");
}, 20_000);

test("the client's protocol is used with a server that supports both but names only the stateless one", async () => {
  await using server = serveStateless("stateless");
  using bridge = stdioBridge({ url: server.url });
  const client = await sessionClient(bridge.parameters);
  expect(textOf(await client.callTool({ name: "locate", arguments: { region: "x" } }))).toBe(
    "in x",
  );
  await client.close();
  expect(server.seen).toContain("POST initialize");
  expect(server.seen).not.toContain("POST server/discover");
}, 20_000);

test.each(["auto", { pin: "2026-07-28" }] as const)(
  "messages of a stateless client (%p) reach a stateless server unchanged",
  async (mode) => {
    await using server = serveStateless();
    using bridge = stdioBridge({ url: server.url });
    const client = new StatelessClient(
      { name: "modern", version: "1" },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode } },
    );
    client.setRequestHandler("elicitation/create", async () => ({
      action: "accept" as const,
      content: { yes: false },
    }));
    await client.connect(new StatelessStdio({ ...bridge.parameters }));
    expect((await client.listTools()).tools).toHaveLength(4);
    const found = await client.callTool({ name: "locate", arguments: { region: " a" } });
    expect(textOf(found)).toBe("in  a");
    expect(server.headers().get("mcp-param-region")).toBe("=?base64?IGE=?=");
    expect(server.headers().get("mcp-name")).toBe("locate");
    expect(textOf(await client.callTool({ name: "confirm", arguments: {} }))).toStartWith(
      "yes=false",
    );
    await client.close();
    expect(server.seen).not.toContain("POST initialize");
  },
  20_000,
);
