import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./support/client.ts";
import { bridge } from "./support/program.ts";

test("a server that is stopped by SIGSTOP: the call ends in time, and works when it goes on", async () => {
  const home = mkdtempSync(join(tmpdir(), "bridge-frozen-"));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "support/frozen-server.ts")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = child.stdout.getReader();
  const read = async () => new TextDecoder().decode((await output.read()).value).trim();
  const url = await read();
  const entry = { timeoutSec: 2, connectTimeoutSec: 1 };
  const client = new Client(bridge.prepare(home, url, entry), home);
  const call = (key: string) =>
    client.request("tools/call", { name: "write", arguments: { key } }, key);
  try {
    const initialize = client.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "frozen", version: "1" },
    });
    expect((await client.answer(initialize, 20_000))?.result).toBeDefined();
    client.notify("notifications/initialized");
    expect((await client.answer(call("before"), 20_000))?.result).toBeDefined();
    child.kill("SIGSTOP");
    const frozen = await client.answer(call("frozen"), 10_000);
    expect(frozen?.error?.data?.kind).toBe("timeout");
    child.kill("SIGCONT");
    expect((await client.answer(call("after"), 20_000))?.result).toBeDefined();
    // What was in the server's hands when it froze may run once it wakes, but once.
    child.kill("SIGUSR1");
    const executed = new Map(JSON.parse(await read()) as [string, number][]);
    expect(executed.get("after")).toBe(1);
    expect(executed.get("frozen") ?? 0).toBeLessThanOrEqual(1);
    expect(await client.end(10_000)).toBe(0);
  } finally {
    child.kill("SIGKILL");
    rmSync(home, { recursive: true });
  }
}, 60_000);
