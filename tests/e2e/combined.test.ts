// A combined run as a process: what happens to one server is felt by nobody else.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { stdioBridge } from "../support/stdio-bridge.ts";
import { initializeResult } from "../support/streamable.ts";

type Body = { readonly id?: number | string; readonly method?: string };

const json = (id: unknown, result: object) => Response.json({ jsonrpc: "2.0", id, result });
const text = (words: string) => ({ content: [{ type: "text", text: words }] });

/** A server with one tool, `act`; `act` answers its calls. */
function serverOf(act: (id: unknown) => Response | Promise<Response>) {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as Body;
      if (id === undefined || method === undefined) return new Response(null, { status: 202 });
      const capabilities = { tools: {} };
      if (method === "initialize") return json(id, { ...initializeResult, capabilities });
      const tool = { name: "act", inputSchema: { type: "object" } };
      if (method === "tools/list") return json(id, { tools: [tool] });
      return act(id);
    },
  });
  return { url: `http://127.0.0.1:${server.port}/mcp`, stop: () => server.stop(true) };
}

/** Resolves when the faults are over. */
const over = Promise.withResolvers<void>();
const events = { headers: { "content-type": "text/event-stream" } };
const eventOf = (message: object) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;

/** Notifications without end, until the faults are over. */
function flood(): Response {
  let isOver = false;
  void over.promise.then(() => {
    isOver = true;
  });
  const params = { level: "info", data: "x".repeat(1000) };
  const piece = eventOf({ method: "notifications/message", params }).repeat(50);
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await new Promise(setImmediate);
        if (isOver) controller.close();
        else controller.enqueue(piece);
      },
    }),
    events,
  );
}

/** Requests without end, which nobody answers, until the faults are over. */
function ask(): Response {
  let isOver = false;
  let asked = 0;
  void over.promise.then(() => {
    isOver = true;
  });
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await Bun.sleep(1);
        if (isOver) controller.close();
        else
          controller.enqueue(
            eventOf({ id: asked++, method: "sampling/createMessage", params: {} }),
          );
      },
    }),
    events,
  );
}

const faults = {
  crashing: () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error("gone")),
    });
    return new Response(broken, events);
  },
  hanging: async () => {
    await over.promise;
    return new Response(null, { status: 500 });
  },
  flooding: () => flood(),
  asking: () => ask(),
  large: (id: unknown) => json(id, text("x".repeat(10_000_000))),
  "signed-out": () =>
    new Response("no", { status: 401, headers: { "www-authenticate": "Bearer" } }),
} as const;

describe("a combined run", () => {
  const servers = Object.fromEntries(
    Object.entries({
      ...faults,
      kb: (id: unknown) => json(id, text("kb")),
      two: (id: unknown) => json(id, text("two")),
    }).map(([name, act]) => [name, serverOf(act)]),
  );
  const client = new Client({ name: "faults", version: "1" }, { capabilities: { sampling: {} } });
  let bridge: ReturnType<typeof stdioBridge>;

  beforeAll(async () => {
    const entries = Object.fromEntries(
      Object.entries(servers).map(([name, { url }]) => [name, { url, token: "t0ken-value" }]),
    );
    const { kb, ...others } = entries;
    bridge = stdioBridge(kb!, others);
    await client.connect(new StdioClientTransport({ ...bridge.parameters }));
  });

  afterAll(async () => {
    over.resolve();
    await client.close();
    bridge[Symbol.dispose]();
    for (const { stop } of Object.values(servers)) await stop();
  });

  test.each(Object.keys(faults))(
    "a server that is %s costs the others nothing",
    async (name) => {
      const act = (server: string) =>
        client.callTool({ name: `${server}__act` }, undefined, { timeout: 60_000 });
      const fault = act(name).catch((error) => error);
      const slowest = { kb: 0, two: 0 };
      for (let n = 0; n < 20; n++)
        await Promise.all(
          (["kb", "two"] as const).map(async (server) => {
            const from = performance.now();
            expect((await act(server)).content).toEqual(text(server).content);
            slowest[server] = Math.max(slowest[server], performance.now() - from);
          }),
        );
      const { tools } = await client.listTools();
      expect(tools.map((tool) => tool.name)).toContain("kb__act");
      // A call of a healthy server takes milliseconds; a second is longer than any pause of a busy machine.
      expect(slowest.kb).toBeLessThan(1000);
      expect(slowest.two).toBeLessThan(1000);
      const isEndless = ["hanging", "flooding", "asking"].includes(name);
      expect(Bun.peek.status(fault) === "pending").toBe(isEndless);
    },
    30_000,
  );
});
