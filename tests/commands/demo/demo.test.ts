import { describe, expect, test } from "bun:test";
import { command } from "../../../src/commands/demo/demo.ts";
import { startDemoServer } from "../../../src/commands/demo/server.ts";
import { testContext } from "../../support/context.ts";
import { runProgram } from "../../support/program.ts";

describe("demo", () => {
  test("shows the path of each message and reports that all steps passed", async () => {
    const context = testContext();
    expect(await command.run({}, context)).toBe(0);
    const lines = context.printed
      .replace(/http:\/\/127\.0\.0\.1:\d+/, "http://127.0.0.1:PORT")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "TIME")
      .replace(/ {2}\([\d.]+ ms\)/g, "");
    expect(lines).toMatchInlineSnapshot(`
      "A built-in MCP server waits at http://127.0.0.1:PORT/mcp, behind a token.
      The bridge is started as Codex starts it: codex-mcp-http-bridge run --server demo

        client asks (stdio)        → bridge adds     → server answers (HTTP)   → client gets
      ✓ initialize                 → token           → POST 200, JSON          → the server's name, MCP 2025-06-18
      ✓ tools/list                 → token, session  → POST 200, JSON          → echo, clock, count
      ✓ tools/call echo            → token, session  → POST 200, JSON          → its text back, byte for byte
      ✓ tools/call clock           → token, session  → POST 200, JSON          → TIME
      ✓ tools/call count           → token, session  → POST 200, event stream  → 3 times progress, then the result
      ✓ tools/call nothing         → token, session  → POST 200, JSON          → error -32602: unknown tool "nothing"
      ✓ (end of input)             → token, session  → DELETE 200              → exit 0

      All 7 steps passed: this executable works on this machine.
      Next: codex-mcp-http-bridge setup
      "
    `);
  });

  test("passes for the compiled program", async () => {
    const { code, stdout, stderr } = await runProgram(["demo"], { env: {} });
    expect(stdout).toContain("All 7 steps passed");
    expect([code, stderr]).toEqual([0, ""]);
  });

  test("fails if the bridge does not start", async () => {
    const context = testContext({ self: ["/bin/false"] });
    expect(await command.run({}, context)).toBe(1);
    expect(context.printed).toContain("✗ initialize: the bridge ended before it answered");
    expect(context.printed).toContain("Not every step passed");
  });
});

describe("the demo server", () => {
  const accept = "application/json, text/event-stream";
  const ask = async (init: RequestInit & { path?: string; token?: string }) => {
    const server = startDemoServer();
    const { path = "/mcp", token = server.token, ...rest } = init;
    const headers = { accept, authorization: `Bearer ${token}`, ...rest.headers };
    const response = await fetch(new URL(path, server.url), { ...rest, headers });
    await response.text();
    await server.stop();
    return response.status;
  };

  test.each([
    ["a wrong token", { method: "POST", token: "wrong", body: "{}" }, 401],
    ["another path", { method: "POST", path: "/", body: "{}" }, 404],
    ["a GET", { method: "GET" }, 405],
    ["a body that is not JSON", { method: "POST", body: "{" }, 400],
    ["no event streams", { method: "POST", body: "{}", headers: { accept: "text/html" } }, 406],
    ["no session", { method: "POST", body: '{"id":1,"method":"ping"}' }, 400],
    [
      "a foreign session",
      { method: "POST", body: '{"id":1,"method":"ping"}', headers: { "mcp-session-id": "x" } },
      404,
    ],
    ["the end of a foreign session", { method: "DELETE", headers: { "mcp-session-id": "x" } }, 404],
  ])("answers %s with an error status", async (_, init, status) => {
    expect(await ask(init)).toBe(status);
  });
});

test("run --demo serves the built-in server to a client", async () => {
  const lines = [
    { id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {} } },
    { method: "notifications/initialized" },
    { id: 2, method: "tools/call", params: { name: "echo", arguments: { text: "hello" } } },
  ];
  const stdin = lines.map((line) => `${JSON.stringify({ jsonrpc: "2.0", ...line })}\n`).join("");
  const { code, stdout } = await runProgram(["run", "--demo"], { env: {}, stdin });
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers.find(({ id }) => id === 2).result.content[0].text).toBe("hello");
  expect(code).toBe(0);
});
