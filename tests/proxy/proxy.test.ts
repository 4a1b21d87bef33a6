// Run by scripts/test-proxy.sh, where elsewhere.example is this machine.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../support/program.ts";

const certificates = join(import.meta.dir, "../fault/certificates");
const folder = mkdtempSync(join(tmpdir(), "bridge-proxy-"));
const token = "canary-token-5f8a3b1c9d";
// tinyproxy takes no other special characters; the dot is percent-encoded below.
const password = "canary.word-1";
const initialize =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}\n';

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  tls: {
    cert: Bun.file(join(certificates, "elsewhere.pem")),
    key: Bun.file(join(certificates, "elsewhere.key")),
  },
  fetch: async (request) => {
    if (request.headers.get("authorization") !== `Bearer ${token}`)
      return new Response(null, { status: 401 });
    const { id, method } = (await request.json()) as { id: number; method: string };
    if (method !== "initialize")
      return Response.json({
        jsonrpc: "2.0",
        id,
        error: { code: -32601, message: "no such method" },
      });
    const result = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      serverInfo: { name: "s", version: "1" },
    };
    return Response.json({ jsonrpc: "2.0", id, result });
  },
});

interface Proxy {
  readonly address: string;
  /** CONNECT requests of the proxy's log. */
  readonly tunnels: () => number;
}

const proxies: Bun.Subprocess[] = [];

async function startProxy(name: string, words: readonly string[]): Promise<Proxy> {
  const log = join(folder, `${name}.log`);
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: () => undefined },
  });
  const { port } = listener;
  listener.stop(true);
  const file = join(folder, `${name}.conf`);
  const lines = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Timeout 30",
    `LogFile "${log}"`,
    "LogLevel Connect",
    ...words,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  proxies.push(Bun.spawn(["tinyproxy", "-d", "-c", file], { stdout: "ignore", stderr: "ignore" }));
  while (proxies.at(-1)!.exitCode === null) {
    const open = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: { data: () => undefined },
    }).catch(() => undefined);
    open?.end();
    if (open !== undefined) break;
    await Bun.sleep(20);
  }
  const tunnels = () => readFileSync(log, "utf8").split("CONNECT elsewhere.example").length - 1;
  return { address: `127.0.0.1:${port}`, tunnels };
}

let open: Proxy;
let guarded: Proxy;

beforeAll(async () => {
  open = await startProxy("open", []);
  guarded = await startProxy("guarded", [`BasicAuth user ${password}`]);
});

afterAll(async () => {
  for (const proxy of proxies) {
    proxy.kill();
    await proxy.exited;
  }
  await server.stop(true);
  rmSync(folder, { recursive: true });
});

let homes = 0;

async function start(entry: object, env: Record<string, string>) {
  const home = join(folder, `home-${homes++}`);
  mkdirSync(join(home, ".codex-mcp-bridge"), { recursive: true, mode: 0o700 });
  const url = `https://elsewhere.example:${server.port}/mcp`;
  const caFile = join(certificates, "ca.pem");
  const { network, ...rest } = { network: {}, ...entry };
  const servers = { kb: { url, token, ...rest, network: { caFile, ...network } } };
  writeFileSync(
    join(home, ".codex-mcp-bridge/config.json"),
    JSON.stringify({ version: 1, servers }),
    { mode: 0o600 },
  );
  const ended = await runProgram(["run", "--log-level", "trace"], {
    env: { HOME: home, ...env },
    stdin: initialize,
  });
  for (const secret of [token, password, password.replace(".", "%2E")])
    expect(ended.stdout + ended.stderr).not.toContain(secret);
  return JSON.parse(ended.stdout);
}

test("the server answers without a proxy, by its other name", async () => {
  expect((await start({}, {})).result.serverInfo.name).toBe("s");
  expect(open.tunnels()).toBe(0);
});

test.each(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])(
  "%s is taken: a tunnel, and TLS inside of it",
  async (variable) => {
    const before = open.tunnels();
    const answer = await start({}, { [variable]: `http://${open.address}` });
    expect(answer.result.serverInfo.name).toBe("s");
    expect(open.tunnels()).toBeGreaterThan(before);
  },
);

test("network.proxy wins over the environment", async () => {
  const before = open.tunnels();
  const answer = await start(
    { network: { proxy: `http://${open.address}` } },
    { HTTPS_PROXY: "http://127.0.0.1:1" },
  );
  expect(answer.result.serverInfo.name).toBe("s");
  expect(open.tunnels()).toBeGreaterThan(before);
});

test.each(["elsewhere.example", ".example", "*"])("NO_PROXY=%s goes around it", async (value) => {
  const before = open.tunnels();
  const answer = await start({}, { HTTPS_PROXY: `http://${open.address}`, NO_PROXY: value });
  expect(answer.result.serverInfo.name).toBe("s");
  expect(open.tunnels()).toBe(before);
});

test("the credentials of a proxy come from its URL and are never shown", async () => {
  const proxy = `http://user:${password.replace(".", "%2E")}@${guarded.address}`;
  expect((await start({}, { HTTPS_PROXY: proxy })).result.serverInfo.name).toBe("s");
  expect((await start({ network: { proxy } }, {})).result.serverInfo.name).toBe("s");
});

test("the error for a proxy that refuses says so", async () => {
  const { error } = await start(
    { retry: { attempts: 1 } },
    { HTTPS_PROXY: `http://user:wrong-canary-1@${guarded.address}` },
  );
  expect(error.data.kind).toBe("unreachable");
  expect(error.message).toContain("proxy");
  expect(error.message).not.toContain("wrong-canary");
});

test("the error for a proxy that does not run says so", async () => {
  const { error } = await start({ retry: { attempts: 1 } }, { HTTPS_PROXY: "http://127.0.0.1:1" });
  expect(error.data.kind).toBe("connection-refused");
  expect(error.message).toContain("proxy");
});
