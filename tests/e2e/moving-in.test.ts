import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { runProgram } from "../support/program.ts";
import { keys, Session } from "../support/terminal.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

const env = () => ({ HOME: folder.path });
const run = (...words: string[]) => runProgram(words, { env: env(), cwd: folder.path });
const put = (name: string, text: string) => {
  const path = join(folder.path, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const servers = () =>
  JSON.parse(readFileSync(join(folder.path, ".codex-mcp-bridge/config.json"), "utf8")).servers;

/** A file of Claude Desktop with entries for one server: an mcp-remote with a token, one with a port, a plain one. */
function desktopFile(url: string): string {
  const entry = (...args: string[]) => ({ command: "npx", args: ["-y", "mcp-remote", ...args] });
  const mcpServers = {
    crm: {
      ...entry(`${url}?crm`, "--allow-http", "--header", "Authorization:${AUTH}"),
      env: { AUTH: "Bearer canary-token" },
    },
    "Wiki Pages": entry(`${url}?wiki`, "3334", "--header", "X-Api-Key: canary-key"),
    "other@latest": entry(`${url}?other`, "--transport", "http-only", "--debug"),
  };
  return JSON.stringify({ mcpServers }, null, 2);
}
const desktop = ".config/Claude/claude_desktop_config.json";

describe("moving in", () => {
  test("from Claude Desktop's mcp-remote entries to working tools in Codex: two commands", async () => {
    const state = listing();
    await using server = listingServer(state);
    put(desktop, desktopFile(server.url));
    const imported = await run("import", "--all");
    expect(imported).toMatchObject({ code: 0, stderr: "" });
    const words = ["codex-config", "--write"];
    if (process.env.BRIDGE_BIN === undefined) words.push("--command", "/bin/sh");
    expect((await run(...words)).code).toBe(0);
    const toml = readFileSync(join(folder.path, ".codex/config.toml"), "utf8");
    expect(toml.match(/^\[mcp_servers\..*\]$/gm)).toEqual([
      "[mcp_servers.crm]",
      "[mcp_servers.Wiki-Pages]",
      "[mcp_servers.other-latest]",
    ]);
    expect(imported.stdout + toml).not.toContain("canary");
    const tested = await run("test", "--all");
    expect(tested.stdout.match(/All tests passed/g)).toHaveLength(3);
  });

  test("only --test contacts the servers", async () => {
    const state = listing();
    await using server = listingServer(state);
    const file = put("mcp.json", JSON.stringify({ mcpServers: { kb: { url: server.url } } }));
    await run("import", file, "--all", "--dry-run", "--test");
    expect(state.seen).toEqual([]);
    const { code, stdout } = await run("import", file, "--all", "--test");
    expect([code, stdout.includes("All tests passed")]).toEqual([0, true]);
    expect(state.seen).toContain("tools/list");
  });

  test("on a terminal the user chooses servers and enters missing values", async () => {
    const mcpServers = {
      kb: { url: "https://kb.example/mcp" },
      crm: {
        url: "https://crm.example/mcp",
        headers: { Authorization: "Bearer ${input:crm-token}" },
      },
    };
    const file = put("mcp.json", JSON.stringify({ mcpServers }));
    await using session = new Session(["import", file], env());
    await session.sees("To import:");
    await session.sees("Which servers?");
    session.type(" ");
    session.type(keys.enter);
    await session.answers("input:crm-token", "canary-token");
    await session.sees("Undo:");
    expect(await session.ended).toBe(0);
    expect(session.shown).not.toContain("canary");
    expect(servers()).toEqual({ crm: { url: "https://crm.example/mcp", token: "canary-token" } });
  });

  test("Ctrl-C at the choice of servers saves nothing", async () => {
    const file = put("mcp.json", '{"mcpServers": {"kb": {"url": "https://kb.example/mcp"}}}');
    await using session = new Session(["import", file], env());
    await session.sees("Which servers?");
    session.type(keys.interrupt);
    await session.sees("import was cancelled: nothing was saved");
    expect(await session.ended).toBe(130);
    expect(() => servers()).toThrow();
  });

  test("client-config --project writes the project's file, after naming it", async () => {
    put(
      ".codex-mcp-bridge/config.json",
      JSON.stringify({ servers: { kb: { url: "https://kb.example/mcp" } } }),
    );
    const words = ["--for", "claude-code", "--project", "--write", "--command", "/bin/sh"];
    const { stderr, code } = await run("client-config", ...words);
    expect(code).toBe(0);
    expect(stderr).toStartWith(`the project's file: ${join(folder.path, ".mcp.json")}\n`);
    expect(JSON.parse(readFileSync(join(folder.path, ".mcp.json"), "utf8"))).toEqual({
      mcpServers: { kb: { type: "stdio", command: "/bin/sh", args: ["run", "--server", "kb"] } },
    });
  });

  test("the written entry and the suggested commands hold --config-path", async () => {
    const config = join(folder.path, "other/config.json");
    put(desktop, desktopFile("https://crm.example/mcp"));
    const words = ["--select", "crm", "--replace", "--command", "/bin/sh", "-c", config];
    const { stdout } = await run("import", ...words);
    expect(stdout).toContain(`import --undo --config-path ${config}`);
    const text = readFileSync(join(folder.path, desktop), "utf8");
    expect(JSON.parse(text).mcpServers.crm.args).toEqual([
      ...["run", "--server", "crm", "--config-path", config],
    ]);
    expect((await run("import", "--undo", "-c", config)).code).toBe(0);
    expect(readFileSync(join(folder.path, desktop), "utf8")).toBe(
      desktopFile("https://crm.example/mcp"),
    );
  });
});
