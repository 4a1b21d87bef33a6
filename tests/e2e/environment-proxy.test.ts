// Requests through a real HTTP proxy: tinyproxy where Debian's package is there (.ci/run installs it), else one of our own.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "../fault/support/client.ts";
import { bridge } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import {
  type ConnectProxy,
  proxyPassword,
  proxyUser,
  startOwnProxy,
  startTinyproxy,
} from "../support/connect-proxy.ts";

const certificates = join(import.meta.dir, "../fault/certificates");
const read = (name: string) => Bun.file(join(certificates, name)).text();
const tinyproxy = Bun.which("tinyproxy", { PATH: `${process.env.PATH}:/usr/sbin:/usr/bin` });
const user = `${proxyUser}:${encodeURIComponent(proxyPassword)}`;

/** A name that only a proxy could resolve is not needed: 127.0.0.2 is loopback, but not one of the exempt names. */
const host = "127.0.0.2";

let proxy: ConnectProxy;
let server: FaultServer;

beforeAll(async () => {
  proxy = tinyproxy === null ? startOwnProxy() : await startTinyproxy(tinyproxy);
  server = new FaultServer({
    tls: { cert: await read("proxied.pem"), key: await read("proxied.key") },
    name: host,
    hostname: host,
  }).start();
});
afterAll(async () => {
  server.stop();
  await proxy.stop();
});

interface Given {
  readonly network?: object;
  readonly env?: Record<string, string>;
}

async function initialize({ network = {}, env = {} }: Given) {
  const home = mkdtempSync(join(tmpdir(), "bridge-proxy-"));
  const caFile = join(certificates, "proxied.pem");
  const entry = { timeoutSec: 10, retry: { attempts: 1 }, network: { caFile, ...network } };
  const prepared = bridge.prepare(home, server.url, entry);
  const client = new Client({ ...prepared, env: { ...prepared.env, ...env } }, home);
  const id = client.request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "proxy", version: "1" },
  });
  const answer = await client.answer(id, 20_000);
  await client.end(10_000);
  rmSync(home, { recursive: true });
  return { answer, shown: client.stderr + client.lines.join("\n") };
}

const address = () => `http://${user}@127.0.0.1:${proxy.port}`;

test.each<[string, () => Given]>([
  ["network.proxy", () => ({ network: { proxy: address() } })],
  ["HTTPS_PROXY", () => ({ env: { HTTPS_PROXY: address() } })],
  ["HTTPS_PROXY without a scheme", () => ({ env: { HTTPS_PROXY: address().slice(7) } })],
  ["https_proxy", () => ({ env: { https_proxy: address() } })],
  ["ALL_PROXY", () => ({ env: { ALL_PROXY: address() } })],
])(
  "%s: the call goes through a tunnel, and the server's certificate is checked",
  async (_, given) => {
    const before = proxy.tunnels().length;
    const { answer, shown } = await initialize(given());
    expect(answer?.result).toBeDefined();
    expect(proxy.tunnels().slice(before)).toContain(host);
    expect(shown).not.toContain(proxyPassword);
    expect(shown).not.toContain(encodeURIComponent(proxyPassword));
  },
);

test("NO_PROXY bypasses the proxy", async () => {
  const before = proxy.tunnels().length;
  const { answer } = await initialize({ env: { HTTPS_PROXY: address(), NO_PROXY: host } });
  expect(answer?.result).toBeDefined();
  expect(proxy.tunnels()).toHaveLength(before);
});

test("NO_PROXY bypasses an unsupported proxy, too", async () => {
  const env = { ALL_PROXY: "socks5://127.0.0.1:9", NO_PROXY: host };
  expect((await initialize({ env })).answer?.result).toBeDefined();
});

test.each(["http://", "//127.0.0.1:9"])("HTTPS_PROXY=%s is reported as invalid", async (value) => {
  const { answer } = await initialize({ env: { HTTPS_PROXY: value } });
  expect(answer?.error?.data?.kind).toBe("configuration");
});

test("the error for a proxy that refuses our password mentions the proxy, not the password", async () => {
  const wrong = `http://${proxyUser}:wrong-password-1@127.0.0.1:${proxy.port}`;
  const { answer, shown } = await initialize({ network: { proxy: wrong } });
  expect(answer?.error?.data?.kind).toBe("unreachable");
  expect(answer?.error?.message).toContain("proxy");
  expect(shown).not.toContain("wrong-password-1");
});

test("an absent proxy is an error of kind connection-refused", async () => {
  const { answer } = await initialize({ network: { proxy: "http://127.0.0.1:9" } });
  expect(answer?.error?.data?.kind).toBe("connection-refused");
});
