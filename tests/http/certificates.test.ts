import { afterAll, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NetworkSettings } from "../../src/config/settings.ts";
import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import type { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog } from "../support/client.ts";

const folder = join(import.meta.dir, "../fault/certificates");
const home = mkdtempSync(join(tmpdir(), "bridge-certificates-"));
const pem = (name: string) => join(folder, name);
const servers: ReturnType<typeof Bun.serve>[] = [];

function privateCopy(name: string): string {
  const path = join(home, name);
  copyFileSync(pem(name), path);
  chmodSync(path, 0o600);
  return path;
}

function serverWith(name: string, options: object = {}): URL {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert: Bun.file(pem(`${name}.pem`)), key: Bun.file(pem(`${name}.key`)), ...options },
    fetch: () => new Response("hello"),
  });
  servers.push(server);
  return new URL(`https://localhost:${server.port}/`);
}

const good = serverWith("good");
afterAll(async () => {
  for (const server of servers) await server.stop(true);
  rmSync(home, { recursive: true });
});

interface Tried {
  readonly text?: string;
  readonly error?: BridgeError;
  readonly cache: ServerCache;
  readonly log: ReturnType<typeof memoryLog>;
}

async function tryGet(
  url: URL,
  network: NetworkSettings,
  env: Record<string, string> = {},
): Promise<Tried> {
  const log = memoryLog();
  const cache = new ServerCache(undefined, url, log);
  const certificates = new Certificates(network, env, cache, log);
  const http = createHttp({ network, env, certificates });
  try {
    const response = await http({
      method: "GET",
      url,
      headers: {},
      signal: AbortSignal.timeout(5000),
      // Every test makes its own handshake.
      keepalive: false,
    });
    return { text: await response.text(), cache, log };
  } catch (error) {
    return { error: error as BridgeError, cache, log };
  }
}

test("a certificate of an unknown issuer is refused after the system store was tried; the cache records that the store is needed", async () => {
  const { error, cache } = await tryGet(good, {});
  expect(error?.kind).toBe("tls");
  expect(error?.safeToRetry).toBe(true);
  expect(error?.hintText((words) => words)).toContain("network.caFile");
  expect(cache.get("systemStore")).toBe(true);
});

test.each([
  ["holds it", "ca.pem", ["hello", true, 1]],
  ["does not", "expired.pem", ["tls", true, 1]],
])("an issuer without a setting is trusted if the system store %s", async (_, name, came) => {
  // A process of its own: the run time reads the system's store once, and in it what its environment names.
  const script = join(import.meta.dir, "../support/system-store.ts");
  const child = Bun.spawn([process.execPath, script, good.href, pem("selfsigned.pem")], {
    env: { SSL_CERT_FILE: pem(name), HOME: home, PATH: "/usr/bin:/bin" },
    stderr: "inherit",
  });
  expect(JSON.parse(await child.stdout.text())).toEqual(came);
});

test("a private CA in network.caFile is trusted", async () => {
  expect((await tryGet(good, { caFile: pem("ca.pem") })).text).toBe("hello");
});

test.each(["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE", "CODEX_PROXY_CERT"])(
  "a private CA in %s is trusted, in addition to another CA in network.caFile",
  async (variable) => {
    const env = { [variable]: pem("ca.pem") };
    expect((await tryGet(good, { caFile: pem("selfsigned.pem") }, env)).text).toBe("hello");
  },
);

test("a private CA in a folder of SSL_CERT_DIR is trusted, whatever other files the folder holds", async () => {
  const certs = join(home, "certs");
  mkdirSync(join(certs, "folder"), { recursive: true });
  copyFileSync(pem("ca.pem"), join(certs, "ca.pem"));
  writeFileSync(join(certs, "README"), "nothing");
  expect((await tryGet(good, {}, { SSL_CERT_DIR: certs })).text).toBe("hello");
});

test.each([
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "CODEX_CA_CERTIFICATE",
  "CODEX_PROXY_CERT",
])("a relative path in %s is refused, whether the file exists or not", async (variable) => {
  for (const path of ["tests/fault/certificates/ca.pem", "./none.pem", "ca.pem", "~/ca.pem"]) {
    const { error } = await tryGet(good, { caFile: pem("ca.pem") }, { [variable]: path });
    expect(error?.kind).toBe("configuration");
    expect(error?.message).toBe(
      `${variable} holds a relative path, which would be read from the current directory`,
    );
  }
});

test("a variable that names a missing file is logged once and changes nothing else", async () => {
  const tried = await tryGet(
    good,
    { caFile: pem("ca.pem") },
    { CODEX_PROXY_CERT: join(home, "none") },
  );
  expect(tried.text).toBe("hello");
  expect(tried.log.events.filter((event) => event.includes("CODEX_PROXY_CERT"))).toHaveLength(1);
});

test.each([
  ["missing", "none.pem", "ENOENT"],
  ["no certificate", "empty.pem", "no PEM text"],
])("a caFile that is %s is an error of kind configuration", async (_, name, words) => {
  writeFileSync(join(home, "empty.pem"), "");
  const { error } = await tryGet(good, { caFile: join(home, name) });
  expect(error?.kind).toBe("configuration");
  expect(error?.message).toContain(words);
});

test.each([
  ["expired", "expired", "has expired"],
  ["elsewhere", "for another host", "is not for"],
  ["selfsigned", "self-signed", "is not trusted"],
])("the error for a certificate that is %s gives this reason", async (name, _, words) => {
  const { error } = await tryGet(serverWith(name), { caFile: pem("ca.pem") });
  expect(error?.kind).toBe("tls");
  expect(error?.message).toContain(words);
});

test("a configured client certificate is sent; without one the error names the setting", async () => {
  const url = serverWith("good", {
    ca: Bun.file(pem("ca.pem")),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const network = { caFile: pem("ca.pem") };
  const shown = { clientCertFile: pem("client.pem"), clientKeyFile: privateCopy("client.key") };
  expect((await tryGet(url, { ...network, ...shown })).text).toBe("hello");
  const { error } = await tryGet(url, network);
  expect(error?.kind).toBe("tls");
  expect(error?.hintText((words) => words)).toContain("network.clientCertFile");
});

test("a client key that others may read is refused", async () => {
  const path = privateCopy("client.key");
  chmodSync(path, 0o644);
  const { error } = await tryGet(good, { clientCertFile: pem("client.pem"), clientKeyFile: path });
  expect(error?.kind).toBe("configuration");
});

test("certificates are checked whatever NODE_TLS_REJECT_UNAUTHORIZED says", async () => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  try {
    expect((await tryGet(good, {})).error?.kind).toBe("tls");
  } finally {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  }
});
