import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./support/client.ts";
import { bridge } from "./support/program.ts";

/** A bridge before a server in a process of its own, after a first call. */
async function startFrozen(entry: object) {
  const home = mkdtempSync(join(tmpdir(), "bridge-frozen-"));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "support/frozen-server.ts")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = child.stdout.getReader();
  const read = async () => new TextDecoder().decode((await output.read()).value).trim();
  const url = await read();
  const client = new Client(bridge.prepare(home, url, { ...entry }), home);
  const call = (key: string) =>
    client.request("tools/call", { name: "write", arguments: { key } }, key);
  const initialize = client.request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "frozen", version: "1" },
  });
  expect((await client.answer(initialize, 20_000))?.result).toBeDefined();
  client.notify("notifications/initialized");
  expect((await client.answer(call("before"), 20_000))?.result).toBeDefined();
  return {
    child,
    url: new URL(url),
    client,
    call,
    /** How often each call was executed. */
    async executed() {
      child.kill("SIGUSR1");
      return new Map(JSON.parse(await read()) as [string, number][]);
    },
    [Symbol.dispose]() {
      child.kill("SIGKILL");
      client.kill("SIGKILL");
      rmSync(home, { recursive: true });
    },
  };
}

test("a server that is stopped by SIGSTOP: the call ends in time, and works when it goes on", async () => {
  using frozen = await startFrozen({ timeoutSec: 2, connectTimeoutSec: 1 });
  const { child, client, call } = frozen;
  child.kill("SIGSTOP");
  expect((await client.answer(call("frozen"), 10_000))?.error?.data?.kind).toBe("timeout");
  child.kill("SIGCONT");
  expect((await client.answer(call("after"), 20_000))?.result).toBeDefined();
  // What was in the server's hands when it froze may run once it wakes, but once.
  const executed = await frozen.executed();
  expect(executed.get("after")).toBe(1);
  expect(executed.get("frozen") ?? 0).toBeLessThanOrEqual(1);
  expect(await client.end(10_000)).toBe(0);
}, 60_000);

/** Connects until nobody answers any more: nothing is accepted, and the kernel's queue is full. */
async function fillQueue({ hostname, port }: URL) {
  const open: { terminate(): void }[] = [];
  for (;;) {
    const connecting = Bun.connect({ hostname, port: Number(port), socket: { data() {} } });
    const silence = Promise.withResolvers<undefined>();
    const timer = setTimeout(silence.resolve, 300);
    const socket = await Promise.race([connecting.catch(() => undefined), silence.promise]);
    clearTimeout(timer);
    if (socket === undefined) {
      void connecting.then((late) => late.terminate()).catch(() => undefined);
      return open;
    }
    open.push(socket);
  }
}

test("a server that goes dark after it has answered is told as unreachable, and found when it is back", async () => {
  using dark = await startFrozen({ timeoutSec: 20, connectTimeoutSec: 2 });
  const { child, url, client, call } = dark;
  child.kill("SIGSTOP");
  const queued = await fillQueue(url);
  const startedAt = performance.now();
  const first = await client.answer(call("first"), 30_000);
  expect(first?.error?.data?.kind).toBe("unreachable");
  expect(first?.error?.message).toContain("may or may not");
  const knownAt = performance.now();
  expect(knownAt - startedAt).toBeLessThan(10_000);
  const second = await client.answer(call("second"), 30_000);
  expect(second?.error?.data?.kind).toBe("unreachable");
  // The circuit is open: half of the time that the first one took.
  expect(performance.now() - knownAt).toBeLessThan(1900);
  for (const socket of queued) socket.terminate();
  child.kill("SIGCONT");
  for (let n = 0, answer: object | undefined; answer === undefined; n += 1) {
    expect(n).toBeLessThan(20);
    answer = (await client.answer(call(`back-${n}`), 30_000))?.result;
  }
  const executed = await dark.executed();
  expect(executed.get("first") ?? 0).toBeLessThanOrEqual(1);
  expect(executed.get("second") ?? 0).toBe(0);
  expect(await client.end(10_000)).toBe(0);
}, 60_000);
