import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js";
import type { RequestTaskStore } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { startEverything } from "../support/everything.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { stdioBridge } from "../support/stdio-bridge.ts";

type Result = Awaited<ReturnType<Client["callTool"]>>;

/** Answers a question of the server: at once, or as a task of the client where it asks for one. */
async function answer<T extends Record<string, unknown>>(
  result: T,
  isTask: boolean,
  store?: RequestTaskStore,
) {
  if (!isTask || store === undefined) return result;
  const task = await store.createTask({ ttl: 60_000, pollInterval: 10 });
  await store.storeTaskResult(task.taskId, "completed", result);
  return { task };
}

const textOf = (result: Result) =>
  (result.content as { type: string; text?: string }[]).map(({ text }) => text ?? "").join("\n");

describe.each([
  ["streamableHttp", "auto", "alone", "streamable-http"],
  ["sse", "auto", "alone", "sse"],
  ["sse", "sse", "alone", undefined],
  ["streamableHttp", "auto", "one of three servers", "streamable-http"],
] as const)("server-everything over %s, transport %s, %s", (transport, configured, role, way) => {
  const isAlone = role === "alone";
  const prefix = isAlone ? "" : "kb__";
  let server: Awaited<ReturnType<typeof startEverything>>;
  let bridge: ReturnType<typeof stdioBridge>;
  let client: Client;
  let others: ReturnType<typeof listingServer>;
  const tasks = new InMemoryTaskStore();
  const asked: string[] = [];
  /** What was called, got and read, by its name or URI. */
  const used = new Set<string>();

  beforeAll(async () => {
    server = await startEverything(transport);
    others = listingServer(listing());
    const more = {
      listing: { url: others.url },
      gone: { url: "http://127.0.0.1:9/mcp", connectTimeoutSec: 1 },
    };
    const entry = { url: server.url, transport: configured };
    bridge = stdioBridge(entry, isAlone ? {} : more);
    client = new Client(
      { name: "everything", version: "1" },
      {
        capabilities: {
          sampling: {},
          roots: { listChanged: true },
          elicitation: { form: {}, url: {} },
          tasks: {
            requests: { sampling: { createMessage: {} }, elicitation: { create: {} } },
          },
        },
        taskStore: tasks,
      },
    );
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }, { taskStore }) => {
      asked.push("sampling");
      const content = { type: "text" as const, text: "sampled" };
      const result = { model: "m", role: "assistant" as const, content };
      return answer(result, params.task !== undefined, taskStore);
    });
    client.setRequestHandler(ElicitRequestSchema, ({ params }, { taskStore }) => {
      asked.push(`elicitation ${params.mode ?? "form"}`);
      const result = { action: "accept" as const, content: { interpretation: "snake" } };
      return answer(result, params.task !== undefined, taskStore);
    });
    client.setRequestHandler(ListRootsRequestSchema, () => {
      asked.push("roots");
      return { roots: [{ uri: "file:///root", name: "the root" }] };
    });
    await client.connect(new StdioClientTransport({ ...bridge.parameters }));
  }, 30_000);

  afterAll(async () => {
    await client.close();
    tasks.cleanup();
    bridge[Symbol.dispose]();
    await others[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const call = (name: string, args: Record<string, unknown> = {}) => {
    used.add(prefix + name);
    return client.callTool({ name: prefix + name, arguments: args });
  };

  const prompt = async (name: string, args?: Record<string, string>) => {
    used.add(prefix + name);
    const { messages } = await client.getPrompt({
      name: prefix + name,
      ...(args && { arguments: args }),
    });
    return JSON.stringify(messages);
  };

  const read = async (uri: string) => {
    used.add(uri);
    return (await client.readResource({ uri })).contents;
  };

  test("has its protocol and transport detected and stored", async () => {
    const serverName = isAlone ? "everything" : "codex-mcp-http-bridge";
    expect(client.getServerVersion()?.name).toContain(serverName);
    expect((await client.listTools()).tools.length).toBeGreaterThan(12);
    if (way === undefined) return;
    const file = join(bridge.home, "cache/kb.json");
    const remembered = () =>
      existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).facts.transport : undefined;
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
    const name = `${prefix}trigger-long-running-operation`;
    used.add(name);
    const result = await client.callTool(
      { name, arguments: { duration: 0.4, steps: 4 } },
      undefined,
      { onprogress: (one) => void progress.push(one.progress) },
    );
    expect(textOf(result)).toContain("completed");
    expect(progress.slice(0, 3)).toEqual([1, 2, 3]);
  });

  test("requests of the server reach the client: sampling, elicitation, roots", async () => {
    expect(textOf(await call("trigger-sampling-request", { prompt: "p" }))).toContain("sampled");
    expect(textOf(await call("trigger-elicitation-request"))).toContain("provided");
    await call("trigger-url-elicitation", { url: "https://example.com/x", message: "open" });
    expect(textOf(await call("get-roots-list"))).toContain("the root");
    expect(asked).toContain("sampling");
    expect(asked).toContain("elicitation form");
    expect(asked).toContain("elicitation url");
    expect(asked).toContain("roots");
  });

  /** Follows a tool that is a task of the server, as its states and its text. */
  async function follow(tool: string, args: Record<string, unknown>) {
    const name = prefix + tool;
    used.add(name);
    const states = new Set<string>();
    let text = "";
    for await (const came of client.experimental.tasks.callToolStream({
      name,
      arguments: args,
    })) {
      if (came.type === "error") throw came.error;
      if (came.type === "result") text = textOf(came.result as Result);
      else states.add(came.task.status);
    }
    return { states: [...states], text };
  }

  test("tasks run on both sides: on the server, and on the client at the server's request", async () => {
    const [research, sampled, elicited] = await Promise.all([
      follow("simulate-research-query", { topic: "python", ambiguous: true }),
      call("trigger-sampling-request-async", { prompt: "p" }),
      call("trigger-elicitation-request-async"),
    ]);
    expect(research.states).toEqual(["working", "input_required"]);
    expect(research.text).toContain("Research Report: python (snake)");
    expect(textOf(sampled)).toContain("[COMPLETED]");
    expect(textOf(sampled)).toContain("sampled");
    expect(textOf(elicited)).toContain("[COMPLETED]");
  }, 30_000);

  test("resources are listed, read, completed and subscribed to", async () => {
    const { resourceTemplates } = await client.listResourceTemplates();
    for (const { uriTemplate } of resourceTemplates) {
      used.add(uriTemplate);
      expect(await read(uriTemplate.replace("{resourceId}", "1"))).toHaveLength(1);
      const { completion } = await client.complete({
        ref: { type: "ref/resource", uri: uriTemplate },
        argument: { name: "resourceId", value: "7" },
      });
      expect(completion.values).toEqual(["7"]);
    }
    for (const { uri } of (await client.listResources()).resources)
      expect(await read(uri)).toHaveLength(1);
    const uri = "demo://resource/dynamic/text/1";
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

  test("prompts are listed, fetched and completed", async () => {
    expect((await client.listPrompts()).prompts.length).toBe(4);
    expect(await prompt("simple-prompt")).toContain("without arguments");
    expect(await prompt("args-prompt", { city: "Bern" })).toContain("Bern");
    const lead = { department: "Sales", name: "Eve" };
    expect(await prompt("completable-prompt", lead)).toContain("promote Eve to the head");
    const embedded = { resourceType: "Text", resourceId: "1" };
    expect(await prompt("resource-prompt", embedded)).toContain("demo://resource/dynamic/text/1");
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: `${prefix}completable-prompt` },
      argument: { name: "department", value: "S" },
    });
    expect(completion.values).toContain("Sales");
  });

  test("log messages arrive as notifications", async () => {
    const logged = Promise.withResolvers<string>();
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
      logged.resolve(params.level),
    );
    await client.setLoggingLevel("debug");
    await call("toggle-simulated-logging");
    expect(await logged.promise).toBeString();
    await call("toggle-simulated-logging");
  }, 20_000);

  test("the server's errors for an unknown tool and bad arguments reach the client", async () => {
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
      .callTool({ name: `${prefix}trigger-long-running-operation`, arguments: args }, undefined, {
        signal: controller.signal,
        onprogress: () => started.resolve(),
      })
      .catch((error: Error) => error);
    await started.promise;
    controller.abort("enough");
    expect(await pending).toBeInstanceOf(Error);
    expect(textOf(await call("echo", { message: "still there" }))).toContain("still there");
  });

  test("the tests above use every tool, prompt and resource of the server", async () => {
    const { tools } = await client.listTools();
    const { prompts } = await client.listPrompts();
    const { resources } = await client.listResources();
    const { resourceTemplates } = await client.listResourceTemplates();
    const offered = [
      ...[...tools, ...prompts].map(({ name }) => name),
      ...resources.map(({ uri }) => uri),
      ...resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    ];
    expect(offered.length).toBeGreaterThan(19 + 4);
    // The tool of the other server, and the one for the server that cannot be reached.
    const fromOthers = isAlone ? [] : ["listing__look", "gone__problem"];
    expect(offered.filter((one) => !used.has(one))).toEqual(fromOthers);
  });
});
