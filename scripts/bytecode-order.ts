// Records the functions that a start of `run` uses, so that the build puts them side by side (build.sh, --bytecode-order):
//   ./build.sh && bun scripts/bytecode-order.ts
// The record of an older build still helps: unknown functions come last.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDemoServer } from "../src/commands/demo/server.ts";

const root = join(import.meta.dir, "..");
const binary = join(root, "dist/codex-mcp-http-bridge");
const file = join(root, "scripts/bytecode-order.txt");
/** What a client sends until it has its tools, and one call. */
const lines = [
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"codex-mcp-client","version":"1"}}}',
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}',
  '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}',
];

// Not in /tmp, which is open to all: a start takes another way there.
const home = mkdtempSync(join(root, "node_modules", ".bytecode-order-"));
const record = join(home, "record");
const server = startDemoServer();
const entry = { url: server.url.href, token: server.token };
const config = join(home, "config.json");
writeFileSync(config, JSON.stringify({ version: 1, servers: { demo: entry } }), { mode: 0o600 });
// The second start finds what the first one remembered.
for (let start = 0; start < 2; start++) {
  const child = Bun.spawn([binary, "run", "--server", "demo", "--config-path", config], {
    env: { HOME: home, PATH: process.env.PATH ?? "", BUN_BYTECODE_ORDER_OUT: record },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  child.stdin.write(`${lines.join("\n")}\n`);
  child.stdin.end();
  const answers = (await child.stdout.text()).trim().split("\n");
  if (answers.length !== 3 || (await child.exited) !== 0) throw new Error(answers.join("\n"));
}
await server.stop();
// Functions and modules: what else is recorded is ten times as much and moves nothing.
const kept = readFileSync(record, "utf8")
  .split("\n")
  .filter((line) => /^(v\d+$|[FM] )/.test(line));
rmSync(home, { recursive: true });
writeFileSync(file, `${kept.join("\n")}\n`);
console.log(`${kept.length} lines in ${file}`);
