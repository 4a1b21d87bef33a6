// What pipes can do to the program: readers that leave or stall, lines without end (docs/hazards.md).
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bridge, type Prepared } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import { Trip } from "../fault/support/trip.ts";

let home: string;
let server: FaultServer;
let prepared: Prepared;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bridge-pipes-"));
  mkdirSync(join(home, "own"));
  server = new FaultServer({ sessions: true }).start();
  prepared = bridge.prepare(join(home, "own"), server.url, { timeoutSec: 30 });
});
afterEach(() => {
  server.stop();
  rmSync(home, { recursive: true });
});

const line = (message: object) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
const initialize = line({
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "pipes", version: "1" },
  },
});
const call = (id: number, key: string) =>
  line({ id, method: "tools/call", params: { name: "write", arguments: { key } } });

/** The program behind a shell pipeline: `$@` is its command. */
function pipeline(script: string, stdin: string) {
  return Bun.spawn(["sh", "-c", script, "sh", ...prepared.argv], {
    env: { ...prepared.env, LOG_LEVEL: "error" },
    cwd: home,
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
}

test("a closed stdout ends the program, although stdin stays open", async () => {
  const child = Bun.spawn(prepared.argv, {
    env: prepared.env,
    cwd: home,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  child.stdin.write(initialize);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  // The run time closes the pipe some time after: an answer that still fits into it tells the program nothing.
  for (let id = 2; child.exitCode === null; id += 1) {
    try {
      child.stdin.write(call(id, "unread"));
      await child.stdin.flush();
    } catch {
      break;
    }
    await Promise.race([child.exited, Bun.sleep(5)]);
  }
  expect(await child.exited).toBe(1);
  expect(await child.stderr.text()).not.toMatch(/^\s+at /m);
});

test("200 MB reach a slow reader whole, and are not buffered in memory", async () => {
  const size = 1 << 20;
  const count = 200;
  server.respond = (x) => {
    if (x.key === "") return false;
    const text = x.execute().replace('"result":{', `"result":{"pad":"${"p".repeat(size)}",`);
    void x.json(text);
    return true;
  };
  const out = join(home, "out");
  const peak = join(home, "peak");
  const script = `{ "$@" < ${join(home, "in")} & pid=$!; while kill -0 $pid 2>/dev/null; do grep VmHWM /proc/$pid/status >> ${peak} 2>/dev/null; sleep 0.1; done; wait $pid; } | { sleep 0.5; cat > ${out}; }`;
  const calls = Array.from({ length: count }, (_, n) => call(n + 2, `k${n}`)).join("");
  await Bun.write(join(home, "in"), initialize + calls);
  const child = pipeline(script, "");
  expect(await child.exited).toBe(0);
  expect(statSync(out).size).toBeGreaterThan(size * count);
  const ids = readFileSync(out, "utf8")
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => Number(/"id":(\d+)/.exec(text)?.[1]));
  expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: count + 1 }, (_, n) => n + 1));
  const peaks = [...readFileSync(peak, "utf8").matchAll(/(\d+) kB/g)].map(([, kB]) => Number(kB));
  // The bound of docs/reliability.md: 60 calls of 1 MB are under way at a time, in several buffers each.
  expect(Math.max(...peaks)).toBeLessThan(450_000);
}, 60_000);

test("a line of 50 MB is read in linear time", async () => {
  const padding = "p".repeat(50 << 20);
  const large = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"write","arguments":{"key":"large","padding":"${padding}"}}}\n`;
  const startedAt = performance.now();
  const child = pipeline('"$@"', initialize + large);
  const lines = (await child.stdout.text()).split("\n");
  expect(lines.find((text) => text.includes('"id":2'))).toContain('"result"');
  expect(server.executions("large")).toBe(1);
  // A quadratic reader takes 3.5 s for it alone on an idle machine (docs/hazards.md).
  expect(performance.now() - startedAt).toBeLessThan(10_000);
}, 60_000);

test("a line of 64 MiB is accepted, a line two bytes longer is refused, and the next line is accepted", async () => {
  const limit = 64 << 20;
  const sized = (id: number, key: string, bytes: number) => {
    const padded = (padding: string) =>
      line({ id, method: "tools/call", params: { name: "write", arguments: { key, padding } } });
    return padded("p".repeat(bytes - padded("").trimEnd().length));
  };
  const whole = sized(2, "whole", limit);
  expect(whole).toHaveLength(limit + "\n".length);
  const child = pipeline(
    '"$@"',
    initialize + whole + sized(3, "over", limit + 2) + call(4, "next"),
  );
  const lines = (await child.stdout.text()).split("\n").filter((text) => text !== "");
  const answers = lines.map((text) => JSON.parse(text)).sort((a, b) => a.id - b.id);
  expect(answers.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  expect(answers[1].result).toBeDefined();
  expect(answers[2].error).toMatchObject({ code: 1413, data: { kind: "too-large" } });
  expect(answers[3].result).toBeDefined();
  expect(["whole", "over", "next"].map((key) => server.executions(key))).toEqual([1, 0, 1]);
  expect(server.requests.map(({ body }) => body.length)).toContain(limit);
}, 60_000);

test("of 350 requests of 1 MB to a server that never answers, those beyond 256 MB are refused; memory is bounded", async () => {
  const trip = new Trip(bridge, home, { entry: { timeoutSec: 60 } });
  await trip.connect();
  trip.server.respond = (x) => x.rpc === "tools/call";
  const pad = "p".repeat(1 << 20);
  for (let n = 0; n < 350; n += 1) {
    const id = `k${n}`;
    trip.client.request("tools/call", { name: "write", arguments: { key: id, pad } }, id);
    // The pipe takes 64 KB at a time: what is not taken would be gathered on this side.
    if (n % 10 === 0) await Bun.sleep(1);
  }
  await trip.ends("k349", "rate-limited", "answer", 50_000);
  await trip.growth(450);
  trip.client.kill("SIGTERM");
  await trip.finish([143, 1]);
  expect(trip.problems).toEqual([]);
}, 60_000);

test("numbers, unknown fields and line separators are passed on unchanged", async () => {
  const odd = '{"n":12345678901234567890,"f":1.0,"e":1e400,"s":"a\u2028b\\u0000","z":-0}';
  server.respond = (x) => {
    if (x.rpc !== "odd/method") return false;
    void x.json(`{"jsonrpc":"2.0","id":${x.id},"result":${odd},"extra":${odd}}`);
    return true;
  };
  const asked = `{"jsonrpc":"2.0","id":"x","method":"odd/method","params":${odd},"extra":${odd}}`;
  const child = pipeline('"$@"', `${initialize + asked}\r\n`);
  const lines = (await child.stdout.text()).split("\n");
  expect(lines).toContain(`{"jsonrpc":"2.0","id":"x","result":${odd},"extra":${odd}}`);
  expect(server.requests.find((x) => x.rpc === "odd/method")?.body).toBe(asked);
});

test("a successful session prints no warning and no stack trace", async () => {
  const child = pipeline('"$@"', initialize);
  expect((await child.stdout.text()).split("\n")).toHaveLength(2);
  expect(await child.stderr.text()).toBe("");
  expect(await child.exited).toBe(0);
});
