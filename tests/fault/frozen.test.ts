import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./support/client.ts";
import { bridge } from "./support/program.ts";

/** Starts a server in a process of its own, and a bridge that has made one call to it. */
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

test("a call to a server stopped by SIGSTOP times out, and calls work after SIGCONT", async () => {
  using frozen = await startFrozen({ timeoutSec: 2, connectTimeoutSec: 1 });
  const { child, client, call } = frozen;
  child.kill("SIGSTOP");
  expect((await client.answer(call("frozen"), 10_000))?.error?.data?.kind).toBe("timeout");
  child.kill("SIGCONT");
  expect((await client.answer(call("after"), 20_000))?.result).toBeDefined();
  // A request that the server received before it froze may still run, but only once.
  const executed = await frozen.executed();
  expect(executed.get("after")).toBe(1);
  expect(executed.get("frozen") ?? 0).toBeLessThanOrEqual(1);
  expect(await client.end(10_000)).toBe(0);
}, 60_000);

/** Opens connections until the kernel's queue of unaccepted connections is full. */
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

test("a server that stops accepting connections is unreachable, and is found again when it accepts", async () => {
  using dark = await startFrozen({ timeoutSec: 20, connectTimeoutSec: 2 });
  const { child, url, client, call } = dark;
  child.kill("SIGSTOP");
  const queued = await fillQueue(url);
  const first = await client.answer(call("first"), 30_000);
  expect(first?.error?.data?.kind).toBe("unreachable");
  expect(first?.error?.message).toContain("within 2 s");
  expect(first?.error?.message).toContain("may have executed the call");
  const second = await client.answer(call("second"), 30_000);
  expect(second?.error?.data?.kind).toBe("unreachable");
  // A server known to be silent is probed for half the time before anything is sent.
  expect(second?.error?.message).toContain("within 1 s");
  expect(second?.error?.message).not.toContain("may have executed the call");
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
