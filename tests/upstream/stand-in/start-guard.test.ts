import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import type { ClientFacts, Upstream } from "../../../src/upstream/core/types.ts";
import { StartGuard } from "../../../src/upstream/stand-in/start-guard.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { errorTo, notificationOf, responseTo } from "../../../src/wire/message.ts";
import { commandLineFor } from "../../../src/wire/program-facts.ts";
import { memoryLog, type RelayClient, relayClient } from "../../support/client.ts";
import { openedClient } from "../../support/open-server.ts";

const away = () =>
  new BridgeError("connection-refused", 'nothing accepts connections at "kb"', {
    hint: "check the port",
  });
const error = {
  code: 1497,
  message: 'nothing accepts connections at "kb": check the port',
  data: { kind: "connection-refused" },
};

/** A server that a test takes down and up; `seen`: the methods that it answered or refused. */
function server(failure: () => BridgeError = away) {
  const state = { isUp: false, hasLists: true, seen: [] as string[] };
  const upstream: Upstream = {
    async send({ head }, deliver, signal) {
      const method = head.method!;
      state.seen.push(method);
      const isDown = !state.isUp || (method === "tools/list" && !state.hasLists);
      if (head.kind !== "request") return;
      if (isDown) throw failure();
      if (method === "subscriptions/listen") {
        const params = '{"notifications":{}}';
        await deliver(notificationOf("notifications/subscriptions/acknowledged", params));
        await deliver(notificationOf("notifications/tools/list_changed", '{"from":"the server"}'));
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      }
      const result = method === "tools/list" ? { tools: [{ name: "look" }] } : { is: "the server" };
      await deliver(responseTo(head.id!, JSON.stringify(result)));
    },
    listen: () => new Promise(() => undefined),
    close: async () => undefined,
  };
  return { upstream, state };
}

const guarded =
  (next: Upstream, onFailure: "tool" | "auto" = "auto", toolName = "kb_problem") =>
  (client: ClientFacts) =>
    new StartGuard({
      next,
      name: "kb",
      toolName: () => toolName,
      onFailure,
      client,
      log: memoryLog(),
      redactor: new Redactor(),
      commandLine: commandLineFor(undefined),
    });

let ids = 0;
async function ask(client: RelayClient, method: string, params: object = {}) {
  const id = ++ids;
  client.send({ id, method, params });
  for (;;) {
    const message = await client.next();
    if (message.id === id) return message;
  }
}

const hello = (name: string) => ({
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name, version: "1" },
});

async function initialize(client: RelayClient, name: string) {
  const answer = await ask(client, "initialize", hello(name));
  client.send({ method: "notifications/initialized" });
  return answer;
}

const names = (list: { result: { tools: { name: string }[] } }) =>
  list.result.tools.map(({ name }) => name);
const callProblem = { name: "kb_problem", arguments: {} };

test.each(["codex-mcp-client", "claude-code", "gemini-cli-mcp-client", "copilot-cli"])(
  "%s, whose user does not see the error of a start, gets a server of one tool that holds it",
  async (name) => {
    const client = relayClient(guarded(server().upstream));
    const { result } = await initialize(client, name);
    expect(result).toMatchObject({
      protocolVersion: "2025-11-25",
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: "kb" },
    });
    expect(result.instructions).toContain(error.message);
    const list = await ask(client, "tools/list");
    expect(names(list)).toEqual(["kb_problem"]);
    expect(list.result.tools[0].description).toContain(error.message);
    const call = await ask(client, "tools/call", callProblem);
    expect(call.result).toMatchObject({
      isError: true,
      content: [{ text: error.message }],
      _meta: { "codex-mcp-http-bridge/error": { kind: "connection-refused", code: 1497 } },
    });
  },
);

test.each(["opencode", "mcp", "an unknown client"])(
  "%s, whose user sees the error of a start, gets the error",
  async (name) => {
    const client = relayClient(guarded(server().upstream));
    expect((await initialize(client, name)).error).toEqual(error);
    expect((await ask(client, "tools/list")).error).toEqual(error);
  },
);

test("with --on-failure tool every client gets the tool", async () => {
  const client = relayClient(guarded(server().upstream, "tool"));
  await initialize(client, "opencode");
  expect(names(await ask(client, "tools/list"))).toEqual(["kb_problem"]);
});

test("the call of the tool starts the server again: its tools are announced, and the whole handshake reaches it", async () => {
  const { upstream, state } = server();
  const client = relayClient(guarded(upstream));
  await initialize(client, "claude-code");
  await ask(client, "tools/list");
  expect((await ask(client, "tools/call", callProblem)).result.isError).toBe(true);
  state.isUp = true;
  state.seen.length = 0;
  client.send({ id: "again", method: "tools/call", params: callProblem });
  const answer = await client.next();
  expect(answer.result.isError).toBeUndefined();
  expect(answer.result.content[0].text).toContain("the server's tools appear by themselves");
  expect((await client.next()).method).toBe("notifications/tools/list_changed");
  expect(state.seen).toEqual(["initialize", "notifications/initialized"]);
  expect(names(await ask(client, "tools/list"))).toEqual(["look"]);
  expect((await ask(client, "tools/call", { name: "look" })).result).toEqual({ is: "the server" });
});

test("Codex, which ignores list_changed, is told to be restarted; nobody else is", async () => {
  const { upstream, state } = server();
  const client = relayClient(guarded(upstream));
  await initialize(client, "codex-mcp-client");
  await ask(client, "tools/list");
  state.isUp = true;
  const { result } = await ask(client, "tools/call", callProblem);
  expect(result.content[0].text).toContain("the user must restart Codex");
  // Codex still has the old list.
  const again = await ask(client, "tools/call", callProblem);
  expect(again.result.content[0].text).toContain("is available now");
});

test("a list that fails after the handshake is answered with the tool, too, until the client has the server's own", async () => {
  const { upstream, state } = server();
  state.isUp = true;
  state.hasLists = false;
  const client = relayClient(guarded(upstream));
  expect((await initialize(client, "claude-code")).result).toEqual({ is: "the server" });
  expect(names(await ask(client, "tools/list"))).toEqual(["kb_problem"]);
  expect((await ask(client, "tools/call", callProblem)).result.isError).toBe(true);
  state.hasLists = true;
  expect((await ask(client, "tools/call", callProblem)).result.isError).toBeUndefined();
  expect(names(await ask(client, "tools/list"))).toEqual(["look"]);
  state.hasLists = false;
  expect((await ask(client, "tools/list")).error).toEqual(error);
  state.hasLists = true;
  // A model may still have the old list.
  const late = await ask(client, "tools/call", callProblem);
  expect(late.result.content[0].text).toContain("is available now");
});

test("once the client has the server's own list with a tool of that name, the name is the server's", async () => {
  const { upstream, state } = server();
  const client = relayClient(guarded(upstream, "auto", "look"));
  await initialize(client, "claude-code");
  expect(names(await ask(client, "tools/list"))).toEqual(["look"]);
  state.isUp = true;
  await ask(client, "tools/call", { name: "look" });
  await ask(client, "tools/list");
  expect((await ask(client, "tools/call", { name: "look" })).result).toEqual({ is: "the server" });
});

test("a server that answers initialize with an error did not start: the tool holds its words, and others get them unchanged", async () => {
  const refusing: Upstream = {
    async send({ head }, deliver) {
      if (head.kind === "request")
        await deliver(errorTo(head.id!, { code: -32000, message: "closed on Sundays" }));
    },
    listen: async () => undefined,
    close: async () => undefined,
  };
  const hiding = relayClient(guarded(refusing));
  const { result } = await initialize(hiding, "claude-code");
  expect(result.instructions).toContain('server "kb" refuses to initialize: closed on Sundays');
  const showing = relayClient(guarded(refusing));
  expect((await initialize(showing, "opencode")).error).toEqual({
    code: -32000,
    message: "closed on Sundays",
  });
});

test("a stateless client gets a whole stand-in, and its subscription brings the server's tools", async () => {
  const { upstream, state } = server();
  const client = relayClient(guarded(upstream));
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "copilot-cli", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const found = await ask(client, "server/discover", { _meta });
  expect(found.result).toMatchObject({
    resultType: "complete",
    supportedVersions: ["2026-07-28"],
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name: "kb", version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
    instructions: expect.stringContaining(error.message),
  });
  const notifications = { toolsListChanged: true };
  client.send({ id: "sub", method: "subscriptions/listen", params: { _meta, notifications } });
  const subscription = { _meta: { "io.modelcontextprotocol/subscriptionId": "sub" } };
  expect(await client.next()).toMatchObject({
    method: "notifications/subscriptions/acknowledged",
    params: { ...subscription, notifications },
  });
  const list = await ask(client, "tools/list", { _meta });
  expect(list.result).toMatchObject({ resultType: "complete", tools: [{ name: "kb_problem" }] });
  const failed = await ask(client, "tools/call", { _meta, ...callProblem });
  expect(failed.result).toMatchObject({ resultType: "complete", isError: true });
  state.isUp = true;
  client.send({ id: "try", method: "tools/call", params: { _meta, ...callProblem } });
  expect((await client.next()).result.resultType).toBe("complete");
  expect(await client.next()).toMatchObject({
    method: "notifications/tools/list_changed",
    params: subscription,
  });
  // The server has the subscription now; the client has got its acknowledgement before.
  expect((await client.next()).params).toEqual({ from: "the server" });
  expect(names(await ask(client, "tools/list", { _meta }))).toEqual(["look"]);
});

test("secrets in a failure are redacted in the tool's texts", async () => {
  const failing = server(() => new BridgeError("forbidden", "it said Bearer canary-1234"));
  const client = relayClient(guarded(failing.upstream));
  const texts = [
    await initialize(client, "claude-code"),
    await ask(client, "tools/list"),
    await ask(client, "tools/call", callProblem),
  ];
  expect(JSON.stringify(texts)).not.toContain("canary");
});

test("a client that lists the tools anew need not wait for a server that is away, since the stand-in tries again", async () => {
  const closed = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const url = `http://127.0.0.1:${closed.port}/mcp`;
  await closed.stop(true);
  const choices = { waitsForStart: true, onFailure: "auto" } as const;
  const client = openedClient({ url }, { choices });
  // A start that waits takes 25 s, longer than this test may.
  const { result } = await client.call("initialize", hello("claude-code"));
  expect(result.instructions).toContain("nothing accepts connections");
});
