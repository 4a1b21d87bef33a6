// What the environment can and cannot do to a compiled bridge (SECURITY.md).
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiledBridge } from "../support/binary.ts";
import { endOf } from "../support/program.ts";

const bridge = compiledBridge();
const secret = "canary-token-5f8a3b1c9d";
const certificates = join(import.meta.dir, "../fault/certificates");

let home: string;
let cwd: string;
let cleanUp: (() => Promise<void> | void)[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bridge-home-"));
  cwd = mkdtempSync(join(tmpdir(), "bridge-hostile-"));
  cleanUp = [];
});

afterEach(async () => {
  for (const step of cleanUp) await step();
  for (const folder of [home, cwd]) rmSync(folder, { recursive: true });
});

function configure(entry: object): void {
  const folder = join(home, ".codex-mcp-bridge");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ version: 1, servers: { kb: entry } }),
    { mode: 0o600 },
  );
}

interface Seen {
  readonly authorization: string | null;
  readonly userAgent: string | null;
  readonly encoding: string | null;
}

/** A server that answers initialize and notes what came. */
function mcpServer(options: object = {}): { readonly port: number; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    ...options,
    fetch: async (request: Request) => {
      seen.push({
        authorization: request.headers.get("authorization"),
        userAgent: request.headers.get("user-agent"),
        encoding: request.headers.get("accept-encoding"),
      });
      const { id } = (await request.json()) as { id: number };
      const result = {
        protocolVersion: "2025-06-18",
        capabilities: {},
        serverInfo: { name: "s", version: "1" },
      };
      return Response.json({ jsonrpc: "2.0", id, result });
    },
  });
  cleanUp.push(() => server.stop(true));
  return { port: server.port!, seen };
}

/** A listener that must not be reached: counts connections. */
function trap(): { readonly port: number; readonly count: () => number } {
  let connections = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        connections++;
        socket.end();
      },
      data: () => undefined,
    },
  });
  cleanUp.push(() => listener.stop(true));
  return { port: listener.port, count: () => connections };
}

interface Outcome {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly answer: any;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** One initialize through `run`, in the hostile directory, at the most talkative log level. */
async function initialize(env: Record<string, string> = {}): Promise<Outcome> {
  const child = Bun.spawn([bridge, "run", "--log-level", "trace"], {
    cwd,
    env: { HOME: home, PATH: "/usr/bin:/bin", ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  child.stdin.write(
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}\n',
  );
  child.stdin.end();
  const { code, stdout, stderr } = await endOf(child);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return { answer: JSON.parse(lines[0] ?? "null"), stdout, stderr, code };
}

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(join(cwd, path, ".."), { recursive: true });
  writeFileSync(join(cwd, path), text, { mode });
}

test.each(["1", "true", "curl"])("BUN_CONFIG_VERBOSE_FETCH=%s prints no header", async (value) => {
  const { port } = mcpServer();
  configure({
    url: `http://127.0.0.1:${port}/mcp`,
    token: secret,
    headers: { "X-Api-Key": `key-${secret}` },
  });
  const { answer, stdout, stderr } = await initialize({ BUN_CONFIG_VERBOSE_FETCH: value });
  expect(answer.result).toBeDefined();
  expect(stdout + stderr).not.toContain(secret);
  expect(stderr).not.toContain("> POST");
  expect(stderr).not.toContain("curl");
});

test("a request asks for no compression and sends our User-Agent", async () => {
  const { port, seen } = mcpServer();
  configure({ url: `http://127.0.0.1:${port}/mcp`, token: secret });
  await initialize();
  expect(seen[0]!.encoding).toBe("identity");
  expect(seen[0]!.userAgent).toMatch(/^codex-mcp-http-bridge\/\d+\.\d+\.\d+$/);
});

test("NODE_TLS_REJECT_UNAUTHORIZED=0 does not disable certificate checks", async () => {
  const tls = {
    cert: Bun.file(join(certificates, "good.pem")),
    key: Bun.file(join(certificates, "good.key")),
  };
  const { port, seen } = mcpServer({ tls });
  configure({ url: `https://localhost:${port}/mcp`, token: secret });
  const { answer, code } = await initialize({ NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  expect(answer.error.data.kind).toBe("tls");
  expect(answer.error.message).toContain("network.caFile");
  expect(seen).toEqual([]);
  expect(code).toBe(0);
});

test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])(
  "a request to loopback never goes through the proxy of %s",
  async (variable) => {
    const { port, seen } = mcpServer();
    const proxy = trap();
    configure({ url: `http://127.0.0.1:${port}/mcp`, token: secret });
    const { answer } = await initialize({ [variable]: `http://127.0.0.1:${proxy.port}` });
    expect(answer.result).toBeDefined();
    expect(seen.length).toBeGreaterThan(0);
    expect(proxy.count()).toBe(0);
  },
);

test.each([
  ["HTTPS_PROXY", {}],
  ["https_proxy", {}],
  ["ALL_PROXY", {}],
  ["network.proxy", { proxy: true }],
])(
  "a request to another host goes through the proxy of %s",
  async (name, { proxy: own }: { proxy?: boolean }) => {
    const proxy = trap();
    const address = `http://127.0.0.1:${proxy.port}`;
    configure({
      url: "https://mcp.invalid/mcp",
      token: secret,
      retry: { attempts: 1 },
      ...(own && { network: { proxy: address } }),
    });
    const { answer } = await initialize(own ? {} : { [name]: address });
    expect(answer.error).toBeDefined();
    expect(proxy.count()).toBeGreaterThan(0);
  },
);

test.each(["ALL_PROXY", "HTTPS_PROXY"])(
  "a SOCKS proxy in %s is refused, not ignored",
  async (variable) => {
    configure({ url: "https://mcp.invalid/mcp", token: secret });
    const { answer } = await initialize({ [variable]: "socks5://127.0.0.1:1080" });
    expect(answer.error.data.kind).toBe("configuration");
    expect(answer.error.message).toContain("SOCKS");
  },
);

test("options of the Bun runtime are passed to the bridge, which refuses them", async () => {
  const preload = join(cwd, "evil.js");
  write("evil.js", `require("fs").writeFileSync(${JSON.stringify(join(cwd, "executed"))}, "x");`);
  const child = Bun.spawn([bridge, `--preload=${preload}`, "--inspect", "status"], {
    cwd,
    env: { HOME: home, PATH: "/usr/bin:/bin" },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await child.stdout.text()).toBe("");
  expect(await child.exited).toBe(2);
  expect(existsSync(join(cwd, "executed"))).toBe(false);
});
