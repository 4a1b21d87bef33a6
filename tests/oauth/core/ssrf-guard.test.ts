import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Certificates } from "../../../src/http/certificates.ts";
import { createHttp, type HttpRequest } from "../../../src/http/client.ts";
import { openOAuth } from "../../../src/oauth/authorizer/open.ts";
import { createSsrfGuard, type SsrfGuardOptions } from "../../../src/oauth/core/ssrf-guard.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { ServerCache } from "../../../src/platform/server-cache.ts";
import { memoryLog } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";

const signal = new AbortController().signal;

interface Fake extends Partial<SsrfGuardOptions> {
  readonly names?: Record<string, string[]>;
}

function guard({ names = {}, ...options }: Fake) {
  const sent: HttpRequest[] = [];
  const http = createSsrfGuard({
    http: async (request) => {
      sent.push(request);
      return Response.json({});
    },
    lookup: async (host) => names[host] ?? ["93.184.216.34"],
    server: new URL("https://mcp.example.com/mcp"),
    trustedHosts: [],
    proxied: () => false,
    showsCertificate: async () => false,
    ...options,
  });
  return { sent, get: (url: string) => http({ method: "GET", url: new URL(url), signal }) };
}

test.each([
  ["http://auth.example.com/"],
  ["https://127.0.0.1/"],
  ["https://localhost/"],
  ["https://sub.localhost/"],
  ["http://127.0.0.1/"],
  ["https://[::1]/"],
  ["https://0x7f000001/"],
  ["https://169.254.169.254/latest/meta-data"],
  ["https://10.0.0.1/"],
  ["https://[::ffff:10.0.0.1]/"],
  ["https://inside.example.com/"],
  ["https://user:pw@auth.example.com/"],
])("a public server's metadata may not lead to %s", async (url) => {
  const { get, sent } = guard({ names: { "inside.example.com": ["93.184.216.34", "10.0.0.7"] } });
  expect(get(url)).rejects.toMatchObject({ kind: "refused" });
  await Bun.sleep(0);
  expect(sent).toHaveLength(0);
});

test("a host name is looked up once, and the connection uses the checked address (DNS rebinding)", async () => {
  let asked = 0;
  const { get, sent } = guard({
    lookup: async () => [asked++ === 0 ? "93.184.216.34" : "127.0.0.1"],
    trustedHosts: [],
    server: new URL("https://9.9.9.9/mcp"),
  });
  await get("https://auth.example.com/token");
  expect(asked).toBe(1);
  expect(sent[0]?.address).toBe("93.184.216.34");
});

test("an authorization server in a private network is reached where the MCP server stands in one; loopback only from loopback", async () => {
  const names = { "mcp.corp.example": ["10.0.0.5"], "auth.corp.example": ["10.0.0.6"] };
  const inside = guard({ names, server: new URL("https://mcp.corp.example/mcp") });
  await inside.get("https://auth.corp.example/");
  expect(inside.get("https://127.0.0.1/")).rejects.toMatchObject({ kind: "refused" });
  const local = guard({ server: new URL("http://localhost:8080/mcp") });
  await local.get("http://127.0.0.1:9000/");
  expect(local.get("https://10.0.0.1/")).rejects.toMatchObject({ kind: "refused" });
});

test.each([
  ["one private address among public ones", ["93.184.216.34", "10.0.0.5"], "https://10.0.0.1/"],
  ["no address", [], "https://10.0.0.1/"],
  ["a private address, for a link-local one", ["10.0.0.5"], "https://169.254.169.254/"],
  ["a private address, for a mapped one", ["10.0.0.5"], "https://[::ffff:169.254.169.254]/"],
  ["a link-local address", ["169.254.1.1"], "https://169.254.169.254/"],
  ["a link-local IPv6 address", ["fe80::1"], "https://[fe80::2]/"],
])("a server's own name that has %s opens nothing inside", async (_, addresses, url) => {
  const { get, sent } = guard({ names: { "mcp.example.com": addresses } });
  expect(await get(url).catch((error) => error.kind)).toBe("refused");
  expect(sent).toHaveLength(0);
});

test("trusted hosts are reached in any network", async () => {
  const { get, sent } = guard({ trustedHosts: ["10.0.0.1", "127.0.0.1:9000"] });
  await get("https://10.0.0.1/");
  await get("http://127.0.0.1:9000/");
  expect(get("http://127.0.0.1:9001/")).rejects.toMatchObject({ kind: "refused" });
  expect(sent).toHaveLength(2);
});

test("behind a proxy, only literal addresses are checked", async () => {
  const lookup = () => Promise.reject(new Error("the proxy looks it up"));
  const { get, sent } = guard({ proxied: () => true, lookup });
  await get("https://auth.example.com/");
  expect(sent[0]?.address).toBeUndefined();
  expect(get("https://10.0.0.1/")).rejects.toMatchObject({ kind: "refused" });
});

test.each([
  ["", false],
  ["*", true],
  ["corp.invalid", true],
  [".corp.invalid, other.invalid", true],
  ["other.invalid wiki.corp.invalid", true],
  ["other.invalid\twiki.corp.invalid", true],
  ["wiki.corp.invalid:443", true],
  ["wiki.corp.invalid:8443", false],
  ["orp.invalid", false],
])("with NO_PROXY=%p the addresses of a host behind it are judged: %p", async (names, isDirect) => {
  using folder = ownFolder();
  const { server } = oauthInside(folder.path, { url: "https://mcp.example.com/mcp" }).context;
  const sent: HttpRequest[] = [];
  const { context } = openOAuth(server, {
    http: async (request) => {
      sent.push(request);
      return Response.json({});
    },
    env: { HTTPS_PROXY: "http://proxy.invalid:3128", NO_PROXY: names },
    log: memoryLog(),
    redactor: new Redactor(),
    login: "",
  });
  const url = new URL("https://wiki.corp.invalid/");
  const error = await context.http({ method: "GET", url, signal }).catch((reason) => reason);
  // The name does not exist: who looks it up finds that out before anything is sent.
  expect([error.kind, sent.length]).toEqual(isDirect ? ["dns", 0] : [undefined, 1]);
});

let hostile: Bun.Server<undefined>;
let followed = 0;

beforeAll(() => {
  hostile = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/redirect") return Response.redirect("/target", 307);
      if (pathname === "/target") followed++;
      if (pathname === "/huge") return new Response(new Uint8Array(2 * 1024 * 1024));
      if (pathname === "/packed") {
        return new Response(Bun.gzipSync(Buffer.from('{"issuer":"x"}')), {
          headers: { "content-encoding": "gzip" },
        });
      }
      if (pathname === "/packed-huge") {
        return new Response(Bun.gzipSync(new Uint8Array(2 * 1024 * 1024)), {
          headers: { "content-encoding": "gzip" },
        });
      }
      if (pathname !== "/drip") return Response.json({});
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await Bun.sleep(20);
            controller.enqueue(new TextEncoder().encode(" "));
          },
        }),
      );
    },
  });
});

afterAll(() => hostile.stop(true));

test.each([
  ["a redirect", "/redirect", "refused"],
  ["more than 1 MiB", "/huge", "too-large"],
  ["more than 1 MiB that was packed into less", "/packed-huge", "too-large"],
])("%s is refused", async (_, path, kind) => {
  using folder = ownFolder();
  const { context } = oauthInside(folder.path, { url: `${hostile.url}mcp` });
  const url = new URL(path, hostile.url);
  const body = "refresh_token=secret-token";
  expect(
    await context.http({ method: "POST", url, body, signal }).catch((error) => error.kind),
  ).toBe(kind);
  expect(followed).toBe(0);
});

test("a compressed document is read although identity was asked for", async () => {
  using folder = ownFolder();
  const { context } = oauthInside(folder.path, { url: `${hostile.url}mcp` });
  const url = new URL("/packed", hostile.url);
  const response = await context.http({ method: "GET", url, signal });
  expect(await response.json()).toEqual({ issuer: "x" });
});

test("a document that arrives byte by byte is given up at the deadline", async () => {
  const guarded = createSsrfGuard({
    http: ({ url, signal }) => fetch(url, { signal }),
    lookup: async () => [],
    server: new URL(hostile.url),
    trustedHosts: [],
    proxied: () => false,
    showsCertificate: async () => false,
    timeoutMs: 150,
  });
  const request = guarded({ method: "GET", url: new URL("/drip", hostile.url), signal });
  expect(await request.catch((error) => error.kind)).toBe("timeout");
});

const certificates = join(import.meta.dir, "../../fault/certificates");

test.each([
  ["elsewhere.example", "NODE_EXTRA_CA_CERTS", "hello"],
  ["another.example", "NODE_EXTRA_CA_CERTS", "tls"],
  ["elsewhere.example", "UNSET", "tls"],
])(
  "the judged address is reached under its name: %p with the CA in %p gives %p",
  async (name, variable, expected) => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: {
        cert: Bun.file(join(certificates, "elsewhere.pem")),
        key: Bun.file(join(certificates, "elsewhere.key")),
      },
      fetch: ({ headers }): Response =>
        new Response(headers.get("host") === host ? "hello" : "wrong host"),
    });
    const host: string = `${name}:${server.port}`;
    const env = { [variable]: join(certificates, "ca.pem") };
    const log = memoryLog();
    const own = new URL("https://mcp.example.com/");
    const roots = new Certificates({}, env, new ServerCache(undefined, own, log), log);
    const guarded = createSsrfGuard({
      http: createHttp({ network: {}, env, certificates: roots }),
      lookup: async () => ["127.0.0.1"],
      // Loopback, so that the address may be used at all.
      server: new URL("http://localhost/"),
      trustedHosts: [],
      proxied: () => false,
      showsCertificate: async () => false,
    });
    const answer = guarded({ method: "GET", url: new URL(`https://${host}/`), signal });
    const got = await answer.then(
      (response) => response.text(),
      (error) => error.kind,
    );
    expect(got).toBe(expected);
    await server.stop(true);
  },
);
