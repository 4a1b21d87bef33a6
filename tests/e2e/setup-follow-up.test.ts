import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { keys, Session } from "../support/terminal.ts";

const { down, enter } = keys;
let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** The least MCP server there is: it answers with JSON, to one token. */
function mcpServer(token: string) {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (request.headers.get("authorization") !== `Bearer ${token}`) {
        return Response.json({ message: "no such token" }, { status: 401 });
      }
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method, params } = (await request.json()) as {
        id?: number;
        method: string;
        params: { protocolVersion: string };
      };
      if (id === undefined) return new Response(null, { status: 202 });
      const inputSchema = { type: "object" };
      const result =
        method === "initialize"
          ? {
              protocolVersion: params.protocolVersion,
              capabilities: { tools: {} },
              serverInfo: { name: "Least", version: "1" },
            }
          : { tools: [{ name: "only", inputSchema }] };
      return Response.json({ jsonrpc: "2.0", id, result });
    },
  });
}

/** Adds the server up to the offer of the test. */
async function untilOffer(session: Session, token: string): Promise<void> {
  await session.sees("How do you sign in?");
  session.type(enter);
  await session.answers("Token?", token);
  await session.answers("Description?", "");
  await session.sees("May Codex call");
  session.type(`${down}${enter}`);
  await session.sees('Test "kb" now?');
}

const start = (url: string) =>
  new Session(["setup", "--server", "kb", "--url", url], {
    HOME: folder.path,
    CODEX_HOME: join(folder.path, "codex"),
  });

test("the wizard tests the saved server, and the next steps omit completed ones", async () => {
  using server = mcpServer("canary-token-1");
  await using session = start(`http://127.0.0.1:${server.port}/mcp`);
  await untilOffer(session, "canary-token-1");
  session.type("y");
  await session.sees("✓ Server name: Least");
  await session.sees("✓ Found 1 tool");
  await session.sees("✓ All tests passed!");
  await session.sees("into Codex's configuration now?");
  session.type("n");
  await session.sees("What next?");
  session.type(enter);
  await session.sees("Next steps:");
  await session.sees("codex-config --server kb --write");
  expect(await session.ended).toBe(0);
  expect(session.shown).not.toContain("codex-mcp-http-bridge test --server kb");
  expect(session.shown).not.toContain("canary");
});

test("a failed test shows the reason; the first choice is another token, which is tested at once", async () => {
  using server = mcpServer("canary-token-2");
  await using session = start(`http://127.0.0.1:${server.port}/mcp`);
  await untilOffer(session, "canary-token-1");
  session.type("y");
  await session.sees("Authentication failed");
  await session.sees("no such token");
  await session.sees("The test failed. What next?");
  session.type(enter);
  await session.answers("Token?", "canary-token-2");
  await session.sees("All tests passed!");
  await session.sees("into Codex's configuration now?");
  session.type("n");
  await session.sees("What next?");
  session.type(enter);
  await session.sees("Next steps:");
  expect(await session.ended).toBe(0);
  expect(session.shown).not.toContain("codex-mcp-http-bridge test --server kb");
  expect(session.shown).not.toContain("canary");
});

test("after a failed test Enter does not write Codex's configuration, and the next steps have no frame", async () => {
  using server = mcpServer("another");
  await using session = start(`http://127.0.0.1:${server.port}/mcp`);
  await untilOffer(session, "canary-token-1");
  session.type("y");
  await session.sees("The test failed. What next?");
  session.type(`${down}${enter}`);
  await session.sees("into Codex's configuration now?");
  session.type(enter);
  await session.sees("What next?");
  session.type(enter);
  await session.sees("Next steps:");
  await session.sees("codex-config --server kb --write");
  expect(await session.ended).toBe(0);
  expect(session.shown).toMatch(
    /\r?\ncodex-mcp-http-bridge test --server kb\r?\ncodex-mcp-http-bridge codex-config --server kb --write\r?\n/,
  );
  expect(existsSync(join(folder.path, "codex/config.toml"))).toBe(false);
});

test("the wizard writes Codex's entry if Codex can start this executable", async () => {
  await using session = start("http://127.0.0.1:1/mcp");
  await untilOffer(session, "canary-token-1");
  session.type("n");
  await session.sees("into Codex's configuration now?");
  session.type("y");
  const config = join(folder.path, "codex/config.toml");
  if (process.env.BRIDGE_BIN) {
    await session.sees("Wrote [mcp_servers.kb]");
  } else {
    await session.sees("the bridge runs from source, which no client can start");
  }
  await session.sees("What next?");
  session.type(enter);
  expect(await session.ended).toBe(0);
  expect(existsSync(config)).toBe(Boolean(process.env.BRIDGE_BIN));
  if (process.env.BRIDGE_BIN) {
    expect(readFileSync(config, "utf8")).toContain('default_tools_approval_mode = "approve"');
  }
});

test("the wizard offers to remove Codex's entry for a server that was removed, and no other", async () => {
  const { mkdirSync, writeFileSync } = await import("node:fs");
  const codex = join(folder.path, "codex");
  mkdirSync(codex);
  const entry = (name: string, server: string) =>
    `[mcp_servers.${name}]\ncommand = "codex-mcp-http-bridge"\nargs = ["run", "--server", "${server}"]\n`;
  const others = `${entry("kb", "KB")}\n[mcp_servers.docs]\ncommand = "npx"\n`;
  writeFileSync(join(codex, "config.toml"), `${others}\n${entry("old", "old")}`);
  const home = join(folder.path, ".codex-mcp-bridge");
  mkdirSync(home, { mode: 0o700 });
  const servers = { kb: { url: "https://kb.example/mcp" } };
  writeFileSync(join(home, "config.json"), JSON.stringify({ servers }), { mode: 0o600 });
  await using session = new Session(["setup"], { HOME: folder.path, CODEX_HOME: codex });
  await session.sees('Codex still starts "old", which is not configured here');
  session.type("y");
  await session.sees("Removed [mcp_servers.old]");
  await session.sees("What next?");
  session.type(keys.up + enter);
  expect(await session.ended).toBe(0);
  expect(readFileSync(join(codex, "config.toml"), "utf8")).toBe(others);
});
