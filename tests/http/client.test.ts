import { afterAll, expect, test } from "bun:test";
import type { NetworkSettings } from "../../src/config/settings.ts";
import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import type { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog } from "../support/client.ts";

const four = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => new Response(request.headers.get("host")),
});
afterAll(() => four.stop(true));

function request(url: URL, network: NetworkSettings, env: Record<string, string> = {}) {
  const log = memoryLog();
  const certificates = new Certificates(network, env, new ServerCache(undefined, url, log), log);
  const http = createHttp({ network, env, certificates });
  return http({ method: "GET", url, headers: {}, signal: AbortSignal.timeout(5000) });
}

test("ipFamily 4 connects to an IPv4 address and keeps the name in Host", async () => {
  const url = new URL(`http://localhost:${four.port}/`);
  const response = await request(url, { ipFamily: 4 });
  expect(await response.text()).toBe(`localhost:${four.port}`);
});

test("ipFamily 6 never connects to an IPv4 address", async () => {
  const url = new URL(`http://localhost:${four.port}/`);
  const error = (await request(url, { ipFamily: 6 }).catch((thrown) => thrown)) as BridgeError;
  expect(["dns", "connection-refused", "unreachable"]).toContain(error.kind);
  expect(error.safeToRetry).toBe(true);
});

test("a host that does not exist is an error of kind dns", async () => {
  const error = (await request(new URL("https://mcp.invalid/"), {}).catch(
    (thrown) => thrown,
  )) as BridgeError;
  expect(error.kind).toBe("dns");
  expect(error.message).toContain('"mcp.invalid"');
});

test("an error never quotes the query of a URL", async () => {
  const url = new URL("https://mcp.invalid/path?key=canary-5f8a3b1c9d");
  const error = (await request(url, {}).catch((thrown) => thrown)) as BridgeError;
  expect(`${error.message} ${error.hintText((words: string) => words)}`).not.toContain("canary");
});

test("an aborted request rejects with the signal's reason", async () => {
  const silent = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Promise<Response>(() => undefined),
  });
  const controller = new AbortController();
  const url = new URL(`http://127.0.0.1:${silent.port}/`);
  const log = memoryLog();
  const certificates = new Certificates({}, {}, new ServerCache(undefined, url, log), log);
  const http = createHttp({ network: {}, env: {}, certificates });
  const pending = http({ method: "GET", url, headers: {}, signal: controller.signal });
  controller.abort({ by: "deadline" });
  expect(await pending.catch((reason) => reason)).toEqual({ by: "deadline" });
  await silent.stop(true);
});

/** What a request gets through a proxy that answers every CONNECT so. */
async function refusedBy(answer: string): Promise<BridgeError> {
  using proxy = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket) => void socket.end(`HTTP/1.1 ${answer}\r\nContent-Length: 0\r\n\r\n`),
    },
  });
  const network = { proxy: `http://127.0.0.1:${proxy.port}` };
  return (await request(new URL("https://127.0.0.2:9/"), network).catch(
    (thrown) => thrown,
  )) as BridgeError;
}

test("the error for a proxy that refuses gives the status; the error for a proxy that cannot reach the server has none", async () => {
  const refused = await refusedBy("407 Proxy Authentication Required");
  expect([refused.kind, refused.safeToRetry, refused.status]).toEqual(["unreachable", true, 407]);
  expect(refused.message).toContain("(407)");
  const lost = await refusedBy("502 Bad Gateway");
  expect([lost.kind, lost.safeToRetry, lost.status]).toEqual(["unreachable", true, undefined]);
});

test.each([
  ["GET", undefined, "tls", true],
  ["POST", (): boolean => false, "tls", true],
  ["POST", (): boolean => true, "outcome-unknown", false],
  ["POST", undefined, "outcome-unknown", false],
] as const)(
  "a %s that may be repeated (%p) is of kind %s where the handshake of a probe is closed",
  async (method, nonIdempotent, kind, safeToRetry) => {
    const closing = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: { data: (socket) => void socket.terminate() },
    });
    const url = new URL(`https://127.0.0.1:${closing.port}/`);
    const log = memoryLog();
    const certificates = new Certificates({}, {}, new ServerCache(undefined, url, log), log);
    const http = createHttp({ network: {}, env: {}, certificates });
    const error: BridgeError = await http({
      ...{ method, url, headers: {}, nonIdempotent },
      signal: AbortSignal.timeout(5000),
    }).catch((thrown) => thrown);
    closing.stop(true);
    expect(error).toMatchObject({ kind, safeToRetry });
  },
);
