import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { startEverything } from "../support/everything.ts";
import { stdioBridge } from "../support/stdio-bridge.ts";

type Result = Awaited<ReturnType<Client["callTool"]>>;

const textOf = (result: Result) =>
  (result.content as { type: string; text?: string }[]).map(({ text }) => text ?? "").join("\n");

describe.each([
  ["streamableHttp", "auto", "streamable"],
  ["sse", "auto", "sse"],
  ["sse", "sse", undefined],
] as const)("server-everything over %s, transport %s", (transport, configured, way) => {
  let server: Awaited<ReturnType<typeof startEverything>>;
  let bridge: ReturnType<typeof stdioBridge>;
  let client: Client;
  const asked: string[] = [];

  beforeAll(async () => {
    server = await startEverything(transport);
    bridge = stdioBridge({ url: server.url, transport: configured });
    client = new Client(
      { name: "everything", version: "1" },
      {
        capabilities: {
          sampling: {},
          roots: { listChanged: true },
          elicitation: { form: {}, url: {} },
        },
      },
    );
    client.setRequestHandler(CreateMessageRequestSchema, () => {
      asked.push("sampling");
      return { model: "m", role: "assistant", content: { type: "text", text: "sampled" } };
    });
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(`elicitation ${params.mode ?? "form"}`);
      return { action: "accept", content: {} };
    });
    client.setRequestHandler(ListRootsRequestSchema, () => {
      asked.push("roots");
      return { roots: [{ uri: "file:///root", name: "the root" }] };
    });
    await client.connect(new StdioClientTransport({ ...bridge.parameters }));
  }, 30_000);

  afterAll(async () => {
    await client.close();
    bridge[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  const call = (name: string, args: Record<string, unknown> = {}) =>
    client.callTool({ name, arguments: args });

  test("is found to speak what it speaks, and that is remembered", async () => {
    expect(client.getServerVersion()?.name).toContain("everything");
    expect((await client.listTools()).tools.length).toBeGreaterThan(12);
    if (way === undefined) return;
    const file = join(bridge.home, "cache/kb.json");
    const remembered = () =>
      existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).facts.way : undefined;
    while (remembered() === undefined) await Bun.sleep(5);
    expect(remembered()).toBe(way);
  });

  test.each([
    ["echo", { message: "hé\u2028" }, "Echo: hé\u2028"],
    ["get-sum", { a: 2, b: 3 }, "5"],
    ["get-annotated-message", { messageType: "error", includeImage: true }, "Error"],
    ["get-env", {}, "PORT"],
    ["get-resource-links", { count: 2 }, "resource links"],
    ["get-resource-reference", { resourceType: "Text", resourceId: 1 }, "resource"],
    ["get-structured-content", { location: "Chicago" }, "temperature"],
    ["get-tiny-image", {}, "image"],
    ["gzip-file-as-resource", { name: "a.gz", data: "data:text/plain;base64,aGk=" }, ""],
  ])("the tool %s", async (name, args, part) => {
    const result = await call(name, args);
    expect(result.isError).not.toBe(true);
    expect(textOf(result)).toContain(part);
  });

  test("a long tool reports its progress", async () => {
    const progress: number[] = [];
    const args = { duration: 0.4, steps: 4 };
    const result = await client.callTool(
      { name: "trigger-long-running-operation", arguments: args },
      undefined,
      { onprogress: (one) => void progress.push(one.progress) },
    );
    expect(textOf(result)).toContain("completed");
    expect(progress.slice(0, 3)).toEqual([1, 2, 3]);
  });

  test("the server's questions reach the client: sampling, elicitation, roots", async () => {
    expect(textOf(await call("trigger-sampling-request", { prompt: "p" }))).toContain("sampled");
    expect(textOf(await call("trigger-elicitation-request"))).toContain("provided");
    await call("trigger-url-elicitation", { url: "https://example.com/x", message: "open" });
    expect(textOf(await call("get-roots-list"))).toContain("the root");
    expect(asked).toContain("sampling");
    expect(asked).toContain("elicitation form");
    expect(asked).toContain("elicitation url");
    expect(asked).toContain("roots");
  });

  test("resources are listed, read and watched", async () => {
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.length).toBeGreaterThan(0);
    expect((await client.listResources()).resources.length).toBeGreaterThan(0);
    const uri = "demo://resource/dynamic/text/1";
    expect((await client.readResource({ uri })).contents).toHaveLength(1);
    const updated = Promise.withResolvers<string>();
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) =>
      updated.resolve(params.uri),
    );
    await client.subscribeResource({ uri });
    await call("toggle-subscriber-updates");
    expect(await updated.promise).toBe(uri);
    await call("toggle-subscriber-updates");
    await client.unsubscribeResource({ uri });
  }, 20_000);

  test("prompts are listed, got and completed", async () => {
    expect((await client.listPrompts()).prompts.length).toBe(4);
    const { messages } = await client.getPrompt({
      name: "args-prompt",
      arguments: { city: "Bern" },
    });
    expect(JSON.stringify(messages)).toContain("Bern");
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "S" },
    });
    expect(completion.values).toContain("Sales");
  });

  test("log messages come by themselves", async () => {
    const logged = Promise.withResolvers<string>();
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
      logged.resolve(params.level),
    );
    await client.setLoggingLevel("debug");
    await call("toggle-simulated-logging");
    expect(await logged.promise).toBeString();
    await call("toggle-simulated-logging");
  }, 20_000);

  test("an unknown tool and bad arguments are told as the server tells them", async () => {
    const unknown = await call("no-such-tool").catch((error: Error) => error);
    expect(JSON.stringify(unknown instanceof Error ? unknown.message : unknown)).toContain(
      "no-such-tool",
    );
    const wrong = await call("get-sum", { a: "x" }).catch((error: Error) => error);
    expect(JSON.stringify(wrong instanceof Error ? wrong.message : wrong)).toContain("nvalid");
  });

  test("a call is cancelled", async () => {
    const controller = new AbortController();
    const args = { duration: 30, steps: 300 };
    const started = Promise.withResolvers<void>();
    const pending = client
      .callTool({ name: "trigger-long-running-operation", arguments: args }, undefined, {
        signal: controller.signal,
        onprogress: () => started.resolve(),
      })
      .catch((error: Error) => error);
    await started.promise;
    controller.abort("enough");
    expect(await pending).toBeInstanceOf(Error);
    expect(textOf(await call("echo", { message: "still there" }))).toContain("still there");
  });
});
