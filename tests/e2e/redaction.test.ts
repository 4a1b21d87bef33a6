// A server that quotes what it was sent: neither the client nor a log sees any of it, whole or by half.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { runProgram } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";

const token = "canary-token-4c1d9e";
const start = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "c" } };
const stdin = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: start })}\n`;

test.each([
  ["http", 500],
  ["http", 403],
  ["auto", 404],
  ["sse", 500],
])("over %s, in the body of a %d", async (transport, status) => {
  using folder = ownFolder();
  const before = "x".repeat(285 - "I got X-Pin: 4711abc. ".length);
  const { href: url } = serveHttp(({ headers }) => {
    const quoted = `I got X-Pin: ${headers.get("x-pin")}. ${before}${headers.get("authorization")}`;
    return new Response(quoted, { status });
  });
  const entry = { url, transport, token, headers: { "X-Pin": "4711abc" }, retry: { attempts: 1 } };
  const config = JSON.stringify({ version: 1, servers: { kb: entry } });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
  const env = { HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path };
  const words = ["run", "--no-cache", "--log-level", "trace"];
  const { stdout, stderr } = await runProgram(words, { env, stdin });
  expect(JSON.parse(stdout).error.message).toContain("and said: I got X-Pin: ...");
  expect(stdout + stderr).not.toContain("4711");
  expect(stdout + stderr).not.toContain("canary");
});
