// What a client said last, and answers that nobody reads: neither may be lost, or end the bridge.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { bridge } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import { Trip, type TripOptions } from "../fault/support/trip.ts";
import { ownFolder } from "../support/folder.ts";

async function play(options: TripOptions, script: (trip: Trip) => Promise<void>) {
  using folder = ownFolder();
  const trip = new Trip(bridge, folder.path, options);
  await trip.connect();
  await script(trip);
  await trip.finish();
  trip.server.stop();
  return trip;
}

test("a notification just before the end of the input reaches a slow server", async () => {
  const changed = "notifications/roots/list_changed";
  const trip = await play({}, async ({ server, client }) => {
    server.respond = (x) => {
      if (x.rpc !== changed) return false;
      setTimeout(() => void x.answer(202), 200);
      return true;
    };
    client.notify(changed);
  });
  expect(trip.server.requests.filter((x) => x.rpc === changed)).toHaveLength(1);
  expect(trip.problems).toEqual([]);
});

test("a whole conversation on a pipe gets every answer", async () => {
  using folder = ownFolder();
  using server = new FaultServer({ sessions: true }).start();
  // Otherwise the listening stream, on a connection of its own, may be seen after the DELETE.
  const listens = Promise.withResolvers<void>();
  server.respond = async ({ method, rpc }) => {
    if (method === "GET") listens.resolve();
    if (rpc === "notifications/roots/list_changed") await listens.promise;
    return false;
  };
  const { argv, env } = bridge.prepare(folder.path, server.url, {});
  const lines = [
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}',
  ];
  const stdin = new Blob([`${lines.join("\n")}\n`]);
  const child = Bun.spawn(argv, { env, cwd: folder.path, stdin, stderr: "ignore" });
  expect(await child.exited).toBe(0);
  const seen = server.requests.map(({ method, rpc }) => rpc || method);
  expect(seen).toContain("notifications/initialized");
  expect(seen).toContain("notifications/roots/list_changed");
  expect(seen.at(-1)).toBe("DELETE");
});

test.each([
  ["a bad chunk", "zz\r\nnonsense"],
  ["half a chunk", "ff\r\nhalf"],
])("a cancellation that is answered with %s ends only its own request", async (_, body) => {
  const cancelled = "notifications/cancelled";
  const trip = await play({}, async ({ server, client }) => {
    server.respond = async (x) => {
      if (x.rpc !== cancelled) return x.key.startsWith("slow");
      await x.chunked(202, "text/plain");
      await x.connection.write(body);
      x.connection.reset();
      return true;
    };
    for (const [n, key] of ["slow-1", "slow-2", "slow-3"].entries()) {
      client.line(
        `{"jsonrpc":"2.0","id":"${key}","method":"tools/call","params":{"name":"write","arguments":{"key":"${key}"}}}`,
      );
      await client.until(() => server.received(key) > 0, 3000);
      client.notify(cancelled, { requestId: key });
      const arrived = () => server.requests.filter((x) => x.rpc === cancelled).length;
      expect(await client.until(() => arrived() > n, 3000)).toBe(true);
    }
  });
  expect(trip.problems).toEqual([]);
});

test("a client that does not read stops being read from, and gets every answer once it reads", async () => {
  using folder = ownFolder();
  using server = new FaultServer().start();
  const { argv, env } = bridge.prepare(folder.path, server.url, {});
  // Each of these lines has an answer fifty times as long.
  const script = `mkfifo go; { yes 1 | head -n 400000; echo written >&2; } | "$@" | { read -r _ <go; cat; }`;
  const shell = Bun.spawn(["sh", "-c", script, "sh", ...argv], {
    env: { ...env, LOG_LEVEL: "error" },
    cwd: folder.path,
    stdout: "pipe",
    stderr: "pipe",
  });
  const proc = (pid: number | string, file: string) => Bun.file(`/proc/${pid}/${file}`).text();
  const running = async () => {
    const children = await proc(shell.pid, `task/${shell.pid}/children`);
    for (const pid of children.trim().split(" "))
      if ((await proc(pid, "cmdline")).includes("--server")) return pid;
    return undefined;
  };
  /** Processor time of the main thread while it sleeps; undefined while it runs or waits for a processor. */
  const restedAt = async (pid: string) => {
    const isAsleep = / S /.test((await proc(pid, "stat")).replace(/^.*\)/, ""));
    return isAsleep ? (await proc(pid, "schedstat")).split(" ")[0] : undefined;
  };
  let pid: string | undefined;
  while (pid === undefined) {
    await Bun.sleep(10);
    pid = await running();
  }
  // The bridge has come to rest: it sleeps and used no processor time since the last look.
  for (let before: string | undefined, now: string | undefined; ; before = now) {
    now = await restedAt(pid);
    if (now !== undefined && now === before) break;
    await Bun.sleep(200);
  }
  const peak = Number(/VmHWM:\s+(\d+)/.exec(await proc(pid, "status"))?.[1]) * 1024;
  expect(peak).toBeLessThan(300e6);
  const written = shell.stderr.text();
  expect(Bun.peek.status(written)).toBe("pending");
  await Bun.write(join(folder.path, "go"), "\n");
  const lines = (await shell.stdout.text()).split("\n");
  expect(lines).toHaveLength(400_001);
  expect(await written).toBe("written\n");
  expect(await shell.exited).toBe(0);
});
