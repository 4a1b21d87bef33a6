import { afterAll, expect, test } from "bun:test";
import type { NetworkSettings } from "../../src/config/settings.ts";
import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog } from "../support/client.ts";

const url = new URL("https://kb.example/mcp");
const user = "user:secret-password@";
const listeners: { stop(force: boolean): unknown }[] = [];
afterAll(() => {
  for (const listener of listeners) listener.stop(true);
});

/** A proxy that answers every CONNECT with these lines; its host and port. */
function proxyThatAnswers(...lines: readonly string[]): string {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.end(`${[...lines, "Content-Length: 0", "", ""].join("\r\n")}`);
      },
    },
  });
  listeners.push(listener);
  return `127.0.0.1:${listener.port}`;
}

async function closedPort(): Promise<string> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return `127.0.0.1:${port}`;
}

/** The error of a request through this proxy; `network` takes it from the configuration. */
async function failureBy(
  proxy: string,
  by: "HTTPS_PROXY" | "network",
  login = user,
): Promise<BridgeError> {
  const log = memoryLog();
  const address = `http://${login}${proxy}`;
  const env: Record<string, string> = by === "network" ? {} : { [by]: address };
  const network: NetworkSettings = by === "network" ? { proxy: address } : {};
  const certificates = new Certificates(network, env, new ServerCache(undefined, url, log), log);
  const http = createHttp({ network, env, certificates });
  const request = { method: "GET", url, headers: {}, signal: AbortSignal.timeout(5000) } as const;
  const error = await http(request).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(BridgeError);
  expect(`${error.message} ${error.hintText((words: string) => words)}`).not.toContain(
    "secret-password",
  );
  return error;
}

test("the error for an absent proxy names the proxy and its setting", async () => {
  const proxy = await closedPort();
  expect(await failureBy(proxy, "HTTPS_PROXY")).toMatchObject({
    kind: "connection-refused",
    message: `the proxy "${proxy}" (HTTPS_PROXY) accepts no connections`,
    safeToRetry: true,
  });
  expect(await failureBy(proxy, "network")).toMatchObject({
    message: `the proxy "${proxy}" ("network.proxy") accepts no connections`,
  });
});

test("the error for an unknown proxy host names the proxy and its setting", async () => {
  expect(await failureBy("proxy.invalid:3128", "HTTPS_PROXY")).toMatchObject({
    kind: "dns",
    message: 'the proxy "proxy.invalid:3128" (HTTPS_PROXY) was not found',
  });
});

const refused = "refused the user or the password";
test.each([
  [["Basic realm=x"], "", "wants a sign-in", /put user and password into HTTPS_PROXY/],
  [[], "", "wants a sign-in", /put user and password .* USER:PASSWORD@HOST:PORT$/],
  [["Basic realm=x"], user, refused, /correct user and password in HTTPS_PROXY/],
  [["NTLM", "Basic realm=x"], user, refused, /correct user and password in HTTPS_PROXY/],
  [["NTLM"], user, "wants a sign-in", /it offers NTLM alone: run a local helper such as px or/],
  [["Negotiate", "NTLM"], user, "wants a sign-in", /it offers Negotiate and NTLM alone/],
  [["Digest realm=x"], user, "wants a sign-in", /it offers Digest alone/],
])(
  "the hint for a proxy that requires authentication fits the offered schemes %j and the user %j",
  async (schemes, login, what, hint) => {
    const fields = schemes.map((scheme) => `Proxy-Authenticate: ${scheme}`);
    const proxy = proxyThatAnswers("HTTP/1.1 407 Proxy Authentication Required", ...fields);
    const error = await failureBy(proxy, "HTTPS_PROXY", login);
    expect(error).toMatchObject({
      kind: "unreachable",
      status: 407,
      message: `the proxy "${proxy}" (HTTPS_PROXY) ${what} (407)`,
    });
    // As people see it: no part of it is taken for a secret.
    expect(new Redactor().redact(String(error.hint))).toMatch(hint);
  },
);

test.each([502, 503, 504])("a proxy that answers %p did not reach the server", async (status) => {
  const proxy = proxyThatAnswers(`HTTP/1.1 ${status} No`);
  expect(await failureBy(proxy, "HTTPS_PROXY")).toMatchObject({
    kind: "unreachable",
    message: `the proxy "${proxy}" (HTTPS_PROXY) cannot connect to "kb.example" (${status})`,
    safeToRetry: true,
  });
});

test("the error for a proxy that refuses the server's host gives the status", async () => {
  const proxy = proxyThatAnswers("HTTP/1.1 403 Forbidden");
  expect(await failureBy(proxy, "HTTPS_PROXY")).toMatchObject({
    kind: "unreachable",
    status: 403,
    message: `the proxy "${proxy}" (HTTPS_PROXY) refused the connection to "kb.example" (403)`,
  });
});

test.each([
  ["an answer", "", "", "the fault is the proxy's, not the server's"],
  [
    "the TLS handshake",
    "HTTP/1.1 200 OK\r\n\r\n",
    " before the TLS handshake",
    "the server behind it",
  ],
])("a proxy that closes the connection in place of %s is named", async (_, sent, when, hint) => {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end(sent) },
  });
  listeners.push(listener);
  const proxy = `127.0.0.1:${listener.port}`;
  expect(await failureBy(proxy, "HTTPS_PROXY")).toMatchObject({
    kind: "unreachable",
    message: `the proxy "${proxy}" (HTTPS_PROXY) closed the connection to "kb.example"${when}`,
    hint: expect.stringContaining(hint),
    safeToRetry: true,
  });
});
