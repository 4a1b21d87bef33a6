import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { runProgram } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";
import { withHandshake } from "../support/streamable.ts";

test.each([
  [["codex-config"], (text: string) => Bun.TOML.parse(text), "mcp_servers"],
  [["client-config", "--for", "cursor"], (text: string) => JSON.parse(text), "mcpServers"],
])(
  "the entry that %p writes with --log-file leads logs to its file",
  async (words, parse, section) => {
    using folder = ownFolder();
    const url = serveHttp(withHandshake(() => new Response(null, { status: 405 })));
    const config = JSON.stringify({ version: 1, servers: { kb: { url: url.href } } });
    writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
    const env = { HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path };
    const file = join(folder.path, "logs", "of the bridge.log");
    const command = ["--command", process.execPath, "--log-file", file];
    const printed = await runProgram([...words, "--server", "kb", ...command], { env });
    // biome-ignore lint/suspicious/noExplicitAny: the entry in either format
    const { args } = (parse(printed.stdout) as any)[section].kb;
    expect(args.slice(-2)).toEqual(["--log-file", file]);
    const clientInfo = { name: "t", version: "1" };
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
    const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params };
    await runProgram(args, { env, stdin: `${JSON.stringify(initialize)}\n` });
    expect(readFileSync(file, "utf8")).toContain("connected");
    const shown = await runProgram(["logs", "kb"], { env });
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain(`, in ${file}\n`);
    expect(shown.stdout).toContain("ended: the client closed its side");
  },
);
