// Thirty-eight ways in which it goes wrong at people's places: `doctor` names the step, says why, and ends with the exit code
// of the class. Real servers, proxies and certificates on loopback.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import type { Server } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { gzipSync } from "node:zlib";
import { command } from "../../../src/commands/doctor/doctor.ts";
import type { FirstAnswer } from "../../../src/commands/doctor/first-request.ts";
import { tcpFinding } from "../../../src/commands/doctor/network-steps.ts";
import type { Certificates } from "../../../src/http/certificates.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { plainSettings } from "../../support/settings.ts";
import {
  certificateFile,
  challenged,
  closedPort,
  closingPort,
  documents,
  fullPort,
  healthy,
  helpfulTlsPort,
  jwt,
  listen,
  page,
  pem,
  proxy,
  results,
  serve,
  signInServer,
  silentPort,
  sticky,
  stopServers,
  tlsFiles,
  tool,
} from "./failing-servers.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(async () => {
  await stopServers();
  folder[Symbol.dispose]();
});

interface SetUp {
  readonly entry: object;
  readonly env?: Record<string, string>;
  /** Run after the configuration was written. */
  readonly afterwards?: () => void;
}

interface Failure {
  readonly name: string;
  readonly setUp: () => SetUp | Promise<SetUp>;
  /** The step that fails; with "works", every step passes. */
  readonly step: string;
  readonly words: readonly RegExp[];
  readonly exit: number;
}

const caFile = { network: { caFile: certificateFile("ca.pem") } };
const quick = { connectTimeoutSec: 1, retry: { attempts: 1 } };
const far = "https://kb.example/mcp";
const byProxy = (host: string): SetUp => ({
  entry: { url: far, ...quick },
  env: { HTTPS_PROXY: `http://user:canary-pass@${host}` },
});

const failures: readonly Failure[] = [
  {
    name: "1 the proxy's name does not resolve",
    setUp: () => byProxy("proxy.invalid:3128"),
    step: "route",
    words: [/the proxy "proxy\.invalid:3128" \(HTTPS_PROXY\) was not found/],
    exit: 5,
  },
  {
    name: "2 the proxy refuses the connection",
    setUp: async () => byProxy(`127.0.0.1:${await closedPort()}`),
    step: "route",
    words: [/the proxy "127\.0\.0\.1:\d+" \(HTTPS_PROXY\) accepts no connections/],
    exit: 5,
  },
  {
    name: "3 the proxy wants NTLM",
    setUp: async () =>
      byProxy(
        await proxy(
          "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
        ),
      ),
    step: "route",
    words: [/wants a sign-in \(407\)/, /offers Negotiate and NTLM alone.*px or cntlm.*HTTPS_PROXY/],
    exit: 5,
  },
  {
    name: "4 the proxy closes after CONNECT",
    setUp: async () => byProxy(await proxy("")),
    step: "route",
    words: [
      /the proxy "127\.0\.0\.1:\d+" \(HTTPS_PROXY\) closed the connection to "kb\.example"/,
      /the proxy's, not the server's/,
    ],
    exit: 5,
  },
  {
    name: "5 NO_PROXY is malformed",
    setUp: () => ({
      entry: { url: far },
      env: { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "good.example,ba!d" },
    }),
    step: "route",
    words: [/NO_PROXY holds a malformed entry: "ba!d"/],
    exit: 3,
  },
  {
    name: "6 the name does not resolve",
    setUp: () => ({ entry: { url: "https://nosuch.invalid/mcp", ...quick } }),
    step: "name",
    words: [/the host "nosuch\.invalid" was not found \(\w+\)/, /VPN/],
    exit: 5,
  },
  {
    name: "8 nothing listens",
    setUp: async () => ({ entry: { url: `http://127.0.0.1:${await closedPort()}/mcp`, ...quick } }),
    step: "TCP",
    words: [/nothing accepts connections at "127\.0\.0\.1:\d+"/],
    exit: 5,
  },
  {
    name: "9 packets are dropped",
    setUp: async () => {
      return { entry: { url: `http://127.0.0.1:${await fullPort()}/mcp`, ...quick } };
    },
    step: "TCP",
    words: [/no connection to "127\.0\.0\.1:\d+" within 1 s/, /firewall.*VPN/],
    exit: 5,
  },
  {
    name: "10 http:// is sent to a TLS port",
    setUp: () => ({
      entry: {
        url: `${serve(undefined, tlsFiles("good")).replace("https:", "http:")}/mcp`,
        ...quick,
      },
    }),
    step: "TCP",
    words: [
      /speaks TLS on this port/,
      /write https:\/\/: codex-mcp-http-bridge setup --server kb --url https:\/\/localhost/,
    ],
    exit: 5,
  },
  {
    name: "11 https:// is sent to a plain port",
    setUp: () => ({ entry: { url: `${serve().replace("http:", "https:")}/mcp`, ...quick } }),
    step: "TLS",
    words: [/"localhost:\d+" does not speak TLS on this port/],
    exit: 5,
  },
  {
    name: "12 the certificate has expired",
    setUp: () => ({
      entry: { url: `${serve(undefined, tlsFiles("expired"))}/mcp`, ...quick, ...caFile },
    }),
    step: "TLS",
    words: [/has expired on 2025-02-01 00:00 UTC; this machine's clock says 20\d\d-\d\d-\d\d/],
    exit: 5,
  },
  {
    name: "13 the certificate is for another name",
    setUp: () => ({
      entry: { url: `${serve(undefined, tlsFiles("elsewhere"))}/mcp`, ...quick, ...caFile },
    }),
    step: "TLS",
    words: [/the certificate is not for "localhost:\d+" but for elsewhere\.example/],
    exit: 5,
  },
  {
    name: "14 the intermediate certificate is missing",
    setUp: () => ({
      entry: {
        url: `${serve(undefined, tlsFiles("issued"))}/mcp`,
        ...quick,
        network: { caFile: certificateFile("root.pem") },
      },
    }),
    step: "TLS",
    words: [
      /sends an incomplete chain: the certificate of "Bridge test intermediate"/,
      /operator must send/,
    ],
    exit: 5,
  },
  {
    name: "15 a private CA signed the certificate",
    setUp: () => ({ entry: { url: `${serve(undefined, tlsFiles("good"))}/mcp`, ...quick } }),
    step: "TLS",
    words: [
      /the certificate of "localhost:\d+" is not trusted/,
      /"network\.caFile".*SSL_CERT_FILE/,
    ],
    exit: 5,
  },
  {
    name: "16 a client certificate is wanted",
    setUp: () => ({
      entry: {
        url: `${serve(undefined, { ...tlsFiles("good"), ca: pem("ca.pem"), requestCert: true, rejectUnauthorized: true })}/mcp`,
        ...quick,
        ...caFile,
      },
    }),
    step: "TLS",
    words: [/wants a client certificate/, /network\.clientCertFile/],
    exit: 5,
  },
  {
    name: "17 TLS 1.1 only",
    setUp: async () => {
      const options = {
        ...tlsFiles("good"),
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
      } as TlsOptions;
      const port = await listen(createTlsServer(options));
      return { entry: { url: `https://localhost:${port}/mcp`, ...quick, ...caFile } };
    },
    step: "TLS",
    words: [/offers TLSv1\.1 only; TLSv1\.2 or TLSv1\.3 is needed/],
    exit: 5,
  },
  {
    name: "17 HTTP/2 only",
    setUp: async () => {
      const port = await listen(
        createSecureServer({ ...tlsFiles("good"), allowHTTP1: false }) as unknown as Server,
      );
      return { entry: { url: `https://localhost:${port}/mcp`, ...quick, ...caFile } };
    },
    step: "TLS",
    words: [/offers HTTP\/2 only; HTTP\/1\.1 is needed/],
    exit: 5,
  },
  {
    name: "18 a sign-in page answers",
    setUp: () => ({ entry: { url: `${serve(() => page("Sign in to CorpNet"))}/mcp` } }),
    step: "HTTP",
    words: [
      /a sign-in page answered in place of "kb" \(200, text\/html\), and said: Sign in to CorpNet/,
      /captive portal/,
    ],
    exit: 1,
  },
  {
    name: "18 a redirect leads to a sign-in page",
    setUp: () => ({
      entry: {
        url: `${serve(() => Response.redirect("https://login.corp.example/saml?x=1", 302))}/mcp`,
      },
    }),
    step: "HTTP",
    words: [
      /redirect \(302\) to "login\.corp\.example"/,
      /a sign-in page may stand in front of the server/,
    ],
    exit: 1,
  },
  {
    name: "19 a firewall refuses this client",
    setUp: () => ({
      entry: {
        url: `${serve(() => page("Just a moment...", 403, { "cf-mitigated": "challenge" }))}/mcp`,
      },
    }),
    step: "HTTP",
    words: [
      /Access forbidden: a firewall in front of server "kb" answered 403/,
      /let this client pass.*User-Agent/,
    ],
    exit: 1,
  },
  {
    name: "20 the path is wrong",
    setUp: () => {
      const origin = serve((request) =>
        new URL(request.url).pathname === "/mcp" ? undefined : new Response(null, { status: 404 }),
      );
      return { entry: { url: `${origin}/v1`, ...quick } };
    },
    step: "HTTP",
    words: [
      /Server not found: "kb" answered 404; of \/mcp, \/sse, \/, \/v1\/, \/v1\/mcp, which were tried, \/mcp \(200\) answered/,
      /--url http:\/\/localhost:\d+\/mcp/,
    ],
    exit: 1,
  },
  {
    name: "the right path has characters of the shell",
    setUp: () => {
      const origin = serve((request) =>
        new URL(request.url).pathname === "/a&b/mcp"
          ? undefined
          : new Response(null, { status: 404 }),
      );
      return { entry: { url: `${origin}/a&b`, ...quick } };
    },
    step: "HTTP",
    words: [/--url 'http:\/\/localhost:\d+\/a&b\/mcp'/],
    exit: 1,
  },
  {
    name: "21 an HTTP+SSE server behind transport http",
    setUp: () => ({
      entry: {
        url: `${serve(() => new Response(null, { status: 405 }))}/sse`,
        transport: "http",
        ...quick,
      },
    }),
    step: "HTTP",
    words: [/answered 405/, /"transport"/],
    exit: 1,
  },
  {
    name: "no path is right",
    setUp: () => ({
      entry: { url: `${serve(() => new Response(null, { status: 404 }))}/v1`, ...quick },
    }),
    step: "HTTP",
    words: [
      /were tried and answer no better/,
      /^check the URL's path: .* setup --server kb --url URL/m,
    ],
    exit: 1,
  },
  {
    name: "a status that no MCP server answers with",
    setUp: () => ({
      entry: { url: `${serve(() => new Response(null, { status: 418 }))}/mcp`, ...quick },
    }),
    step: "HTTP",
    words: [/answered 418/, /^check that the URL is that of an MCP server$/m],
    exit: 1,
  },
  {
    name: "22 an HTTP+SSE server loses its proxy's path prefix",
    setUp: () => {
      const origin = serve((request) => {
        const { pathname } = new URL(request.url);
        if (request.method !== "GET" || pathname !== "/team/sse")
          return new Response(null, { status: pathname === "/team/sse" ? 405 : 404 });
        const body = new ReadableStream({
          start: (stream) => stream.enqueue("event: endpoint\ndata: /messages?id=1\n\n"),
        });
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      });
      return { entry: { url: `${origin}/team/sse`, ...quick, timeoutSec: 5 } };
    },
    step: "HTTP",
    words: [
      /names \/messages as the path for messages, which answered 404, with the prefix \/team and without/,
    ],
    exit: 1,
  },
  {
    name: "23 a redirect leads to http on the same host",
    setUp: () => {
      const origin: string = serve((request) => {
        const url = new URL(request.url);
        return url.pathname === "/mcp"
          ? Response.redirect(`${origin.replace("https", "http")}/mcp/`, 308)
          : undefined;
      }, tlsFiles("good"));
      return { entry: { url: `${origin}/mcp`, ...quick, ...caFile } };
    },
    step: "HTTP",
    words: [/redirect \(308\)/, /--url https:\/\/localhost:\d+\/mcp\//],
    exit: 1,
  },
  {
    name: "24 a redirect leads to another host",
    setUp: () => ({
      entry: { url: `${serve(() => Response.redirect("https://www.kb.example/mcp", 308))}/mcp` },
    }),
    step: "HTTP",
    words: [/redirect \(308\) to "www\.kb\.example"/],
    exit: 1,
  },
  {
    name: "25 the answer is compressed unasked",
    setUp: () => ({
      entry: {
        url: `${serve(async (_, body) => {
          if (body.method === undefined) return undefined;
          const plain = healthy(body);
          const bytes = gzipSync(await plain.bytes());
          const headers = { "content-type": "application/json", "content-encoding": "gzip" };
          return plain.status === 202 ? plain : new Response(bytes, { headers });
        })}/mcp`,
      },
    }),
    step: "works",
    words: [],
    exit: 0,
  },
  {
    name: "25 the answer has an unknown coding",
    setUp: () => ({
      entry: {
        url: `${serve(() => new Response("xx", { headers: { "content-type": "application/json", "content-encoding": "squash" } }))}/mcp`,
        ...quick,
      },
    }),
    step: "HTTP",
    words: [/squash/],
    exit: 1,
  },
  {
    name: "26 a load balancer wants its cookie back",
    setUp: () => ({ entry: { url: `${sticky()}/mcp`, ...quick } }),
    step: "works",
    words: [],
    exit: 0,
  },
  {
    name: "26 a load balancer wants its cookie back, and cookies are off",
    setUp: () => ({ entry: { url: `${sticky()}/mcp`, cookies: false, ...quick } }),
    step: "tools",
    words: [/session/, /"cookies"/],
    exit: 1,
  },
  {
    name: "27 401 without any sign-in metadata",
    setUp: () => ({
      entry: {
        url: `${serve((request) => (new URL(request.url).pathname === "/mcp" ? challenged(undefined) : new Response(null, { status: 404 })))}/mcp`,
      },
    }),
    step: "challenge",
    words: [/server "kb" needs a token: it offers no sign-in/, /setup --server kb/],
    exit: 4,
  },
  {
    name: "28 401 offers Negotiate only",
    setUp: () => ({ entry: { url: `${serve(() => challenged("Negotiate"))}/mcp` } }),
    step: "challenge",
    words: [/asks for Negotiate/],
    exit: 4,
  },
  {
    name: "29 metadata of another resource",
    setUp: () => ({
      entry: {
        url: signInServer((pathname, origin) =>
          pathname.includes("protected-resource")
            ? { resource: "https://other.example/mcp", authorization_servers: [origin] }
            : undefined,
        ),
      },
    }),
    step: "resource metadata",
    words: [/describe https:\/\/other\.example\/mcp, not http:\/\/localhost:\d+\/mcp/],
    exit: 1,
  },
  {
    name: "29 metadata of another issuer",
    setUp: () => ({
      entry: {
        url: signInServer((pathname, origin) =>
          documents(pathname, origin, { issuer: "https://evil.example" }),
        ),
      },
    }),
    step: "authorization server",
    words: [/belong to another issuer: https:\/\/evil\.example/, /localhost:\d+/],
    exit: 1,
  },
  {
    name: "30 metadata answer 500",
    setUp: () => ({ entry: { url: signInServer(() => new Response(null, { status: 500 })) } }),
    step: "resource metadata",
    words: [/localhost:\d+\/\.well-known\/oauth-protected-resource/, /answered 500/],
    exit: 1,
  },
  {
    name: "31 registration is closed",
    setUp: () => ({
      entry: { url: signInServer((pathname, origin) => documents(pathname, origin)) },
    }),
    step: "registration",
    words: [
      /the authorization server does not register clients/,
      /ask the provider for a client id.*auth\.clientId/,
    ],
    exit: 4,
  },
  {
    name: "31 registration wants an initial token",
    setUp: () => ({
      entry: {
        url: signInServer((pathname, origin) =>
          pathname === "/register"
            ? Response.json(
                { error: "invalid_token", error_description: "Members only" },
                { status: 401 },
              )
            : documents(pathname, origin, { registration_endpoint: `${origin}/register` }),
        ),
      },
    }),
    step: "registration",
    words: [/refused to register a client \(401\): Members only/, /auth\.initialAccessToken/],
    exit: 4,
  },
  {
    name: "32 the token endpoint issues a token of another type",
    setUp: () => ({
      entry: {
        url: signInServer((pathname, origin) =>
          pathname === "/token"
            ? { access_token: "t0ken-canary-pass", token_type: "mac", expires_in: 60 }
            : documents(pathname, origin),
        ),
        auth: {
          type: "oauth",
          grant: "client_credentials",
          clientId: "us",
          clientSecret: "s3cret-canary-pass",
        },
      },
    }),
    step: "token",
    words: [/mac/],
    exit: 1,
  },
  {
    name: "33 the token has expired",
    setUp: () => ({
      entry: {
        url: `${serve(() => challenged('Bearer error="invalid_token"'))}/mcp`,
        token: jwt({ exp: 1_700_000_000 }),
      },
    }),
    step: "token",
    words: [/Authentication failed: server "kb" answered 401/, /the token expired \d+ days ago/],
    exit: 4,
  },
  {
    name: "33 the token is for another server",
    setUp: () => ({
      entry: {
        url: `${serve(() => challenged('Bearer error="invalid_token"'))}/mcp`,
        token: jwt({ aud: "https://other.example" }),
      },
    }),
    step: "token",
    words: [
      /the token is for https:\/\/other\.example, not for http:\/\/localhost:\d+/,
      /use a token that was issued for this server/,
    ],
    exit: 4,
  },
  {
    name: "33 the token lacks a scope",
    setUp: () => ({
      entry: {
        url: `${serve(() => challenged('Bearer error="insufficient_scope", scope="mcp:write"', 403))}/mcp`,
        token: "t0ken-canary-pass",
      },
    }),
    step: "token",
    words: [/Access forbidden/, /asks for the scope mcp:write/],
    exit: 1,
  },
  {
    name: "34 this machine's clock is an hour off",
    setUp: () => ({
      entry: {
        url: `${serve((_, body) => {
          const plain = body.method === undefined ? undefined : healthy(body);
          plain?.headers.set("date", new Date(Date.now() - 3_600_000).toUTCString());
          return plain;
        })}/mcp`,
      },
    }),
    step: "clock",
    words: [/this machine's clock is 60 min ahead of the server's/],
    exit: 3,
  },
  {
    name: "35 initialize is answered as an array, after a stray event",
    setUp: () => ({
      entry: {
        url: `${serve(async (_, body) => {
          if (body.method !== "initialize") return undefined;
          const answer = {
            jsonrpc: "2.0",
            id: body.id,
            result: { ...results.initialize, protocolVersion: "1999-01-01" },
          };
          const text = `data: ping\n\ndata: ${JSON.stringify([answer])}\n\n`;
          return new Response(text, { headers: { "content-type": "text/event-stream" } });
        })}/mcp`,
      },
    }),
    step: "works",
    words: [],
    exit: 0,
  },
  {
    name: "36 a tool has no schema",
    setUp: () => ({
      entry: {
        url: `${serve((_, { id, method }) => (method === "tools/list" ? Response.json({ jsonrpc: "2.0", id, result: { tools: [tool, { name: "bare" }, null] } }) : undefined))}/mcp`,
      },
    }),
    step: "tools",
    words: [/Codex would drop the whole list: "bare" has no inputSchema; "#3" is null/],
    exit: 1,
  },
  {
    name: "36 a tool has no schema, and tools.repair leaves it out",
    setUp: () => ({
      entry: {
        url: `${serve((_, { id, method }) => (method === "tools/list" ? Response.json({ jsonrpc: "2.0", id, result: { tools: [tool, { name: "bare" }] } }) : undefined))}/mcp`,
        tools: { repair: true },
      },
    }),
    step: "works",
    words: [],
    exit: 0,
  },
  {
    name: "37 a variable is not set",
    setUp: () => ({ entry: { url: `${serve()}/mcp`, tokenEnv: "KB_TOKEN" } }),
    step: "configuration",
    words: [/KB_TOKEN is not set/, /--write passes it on/],
    exit: 3,
  },
  {
    name: "37 a variable of the URL is not set",
    setUp: () => ({ entry: { url: "https://kb.example/${KB_TEAM}/mcp" } }),
    step: "configuration",
    words: [/KB_TEAM/, /not set/],
    exit: 3,
  },
  {
    name: "37 Codex does not pass a variable on",
    setUp: () => ({
      entry: { url: `${serve()}/mcp`, tokenEnv: "KB_TOKEN" },
      env: { KB_TOKEN: "t0ken-canary-pass" },
      afterwards: () => {
        mkdirSync(join(folder.path, ".codex"));
        const entry = `[mcp_servers.kb]\ncommand = "codex-mcp-http-bridge"\nargs = ["run", "--server", "kb"]\nenv_vars = ["HTTPS_PROXY"]\n`;
        writeFileSync(join(folder.path, ".codex/config.toml"), entry);
      },
    }),
    step: "configuration",
    words: [
      /Codex does not pass KB_TOKEN on to the bridge: its entry "kb" in .*config\.toml/,
      /codex-config --write --server kb/,
    ],
    exit: 3,
  },
  {
    name: "38 others may read the file with a token",
    setUp: () => ({
      entry: { url: `${serve()}/mcp`, token: "t0ken-canary-pass" },
      afterwards: () => chmodSync(join(folder.path, "config.json"), 0o644),
    }),
    step: "configuration",
    words: [/config\.json holds a secret and may be read by others/, /chmod 600/],
    exit: 3,
  },
  {
    name: "38 others may write the home",
    setUp: () => ({
      entry: { url: `${serve()}/mcp` },
      afterwards: () => chmodSync(folder.path, 0o777),
    }),
    step: "configuration",
    words: [/may be written by others/, /chmod go-w/],
    exit: 3,
  },
  {
    name: "3 the proxy refuses user and password",
    setUp: async () =>
      byProxy(
        await proxy(
          "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=p\r\nContent-Length: 0\r\n\r\n",
        ),
      ),
    step: "route",
    words: [/refused the user or the password \(407\)/, /correct user and password in HTTPS_PROXY/],
    exit: 5,
  },
  {
    name: "4 the proxy never answers CONNECT",
    setUp: async () => byProxy(`127.0.0.1:${await silentPort()}`),
    step: "route",
    words: [/the proxy "127\.0\.0\.1:\d+" \(HTTPS_PROXY\) did not answer CONNECT within 1 s/],
    exit: 5,
  },
  {
    name: "4 no TLS handshake is answered behind the proxy",
    setUp: async () => byProxy(`127.0.0.1:${await silentPort("HTTP/1.1 200 OK\r\n\r\n")}`),
    step: "TLS",
    words: [/"kb\.example" did not answer a TLS handshake through the proxy "127\.0\.0\.1:\d+"/],
    exit: 5,
  },
  {
    name: "2 the proxy speaks TLS, and its URL says http://",
    setUp: () => byProxy(new URL(serve(undefined, tlsFiles("good"))).host),
    step: "route",
    words: [/speaks TLS on this port, and its URL says http:/, /write https:\/\/ into HTTPS_PROXY/],
    exit: 5,
  },
  {
    name: "2 the proxy does not speak TLS, and its URL says https://",
    setUp: async () => ({
      entry: { url: far, ...quick },
      env: { HTTPS_PROXY: `https://${await proxy("HTTP/1.1 400 No\r\n\r\n")}` },
    }),
    step: "route",
    words: [/does not speak TLS as its URL says/, /write http:\/\/ into HTTPS_PROXY/],
    exit: 5,
  },
  {
    name: "7 the name has no address of the family that is asked for",
    setUp: () => ({ entry: { url: `${serve()}/mcp`, ...quick, network: { ipFamily: 6 } } }),
    step: "name",
    words: [/the host "localhost" has no IPv6 address/, /remove "network\.ipFamily": 6/],
    exit: 5,
  },
  {
    name: "10 http:// is sent to a TLS port that answers 400",
    setUp: async () => ({
      entry: { url: `http://localhost:${await helpfulTlsPort()}/mcp`, ...quick },
    }),
    step: "TCP",
    words: [/speaks TLS on this port/, /write https:\/\//],
    exit: 5,
  },
  {
    name: "11 the port closes the connection in the handshake",
    setUp: async () => ({
      entry: { url: `https://localhost:${await closingPort()}/mcp`, ...quick },
    }),
    step: "TLS",
    words: [/"localhost:\d+" closed the connection in the TLS handshake/],
    exit: 5,
  },
  {
    name: "11 the port does not answer the handshake",
    setUp: async () => ({
      entry: { url: `https://localhost:${await silentPort()}/mcp`, ...quick },
    }),
    step: "TLS",
    words: [/"localhost:\d+" did not answer a TLS handshake within 1 s/],
    exit: 5,
  },
  {
    name: "13 the certificate of a server by its address is for a name",
    setUp: () => {
      const url = serve(undefined, tlsFiles("elsewhere")).replace("localhost", "127.0.0.1");
      return { entry: { url: `${url}/mcp`, ...quick, ...caFile } };
    },
    step: "TLS",
    words: [/the certificate is not for "127\.0\.0\.1:\d+" but for elsewhere\.example/],
    exit: 5,
  },
  {
    name: "16 the client's key is that of another certificate",
    setUp: () => ({
      entry: { url: `${serve(undefined, tlsFiles("good"))}/mcp`, ...quick, ...clientFiles("good") },
    }),
    step: "configuration",
    words: [/"network\.clientKeyFile" is not the key of the certificate/],
    exit: 3,
  },
  {
    name: "16 the server does not take the client's certificate",
    setUp: () => {
      const tls = { ca: pem("root.pem"), requestCert: true, rejectUnauthorized: true };
      const url = serve(undefined, { ...tlsFiles("good"), ...tls });
      return { entry: { url: `${url}/mcp`, ...quick, ...clientFiles("client") } };
    },
    step: "TLS",
    words: [/"localhost:\d+" (?:closed the connection|wants a client)/, /network\.clientCertFile/],
    exit: 5,
  },
  {
    name: "16 a web server answers that it wants a client certificate",
    setUp: () => ({
      entry: { url: `${serve(() => page("No required SSL certificate was sent", 400))}/mcp` },
    }),
    step: "HTTP",
    words: [/answered 400/, /network\.clientCertFile/],
    exit: 1,
  },
  {
    name: "18 the network asks for a sign-in (511)",
    setUp: () => ({ entry: { url: `${serve(() => page("Guest network", 511))}/mcp`, ...quick } }),
    step: "HTTP",
    words: [/a captive portal answered 511 in place of "kb"/, /open any web page in a browser/],
    exit: 1,
  },
  {
    name: "19 a firewall's challenge has another status",
    setUp: () => {
      const headers = { "cf-mitigated": "challenge" };
      return {
        entry: { url: `${serve(() => page("Just a moment", 503, headers))}/mcp`, ...quick },
      };
    },
    step: "HTTP",
    words: [/a firewall in front of "kb" answered 503/, /let this client pass.*User-Agent/],
    exit: 1,
  },
  {
    name: "20 the path lacks its last part",
    setUp: () => {
      const origin = serve((request) =>
        new URL(request.url).pathname === "/api/mcp"
          ? undefined
          : Response.json({ see: "the manual" }, { status: 404 }),
      );
      return { entry: { url: `${origin}/api`, ...quick } };
    },
    step: "HTTP",
    words: [/\/api\/mcp \(200\) answered/, /--url http:\/\/localhost:\d+\/api\/mcp/],
    exit: 1,
  },
  {
    name: "20 the path is wrong, and another one answers with JSON of no MCP server",
    setUp: () => {
      const origin = serve((request) =>
        new URL(request.url).pathname === "/"
          ? Response.json({ name: "an API" })
          : new Response(null, { status: 404 }),
      );
      return { entry: { url: `${origin}/v1`, ...quick } };
    },
    step: "HTTP",
    words: [/were tried and answer no better/],
    exit: 1,
  },
  {
    name: "26 every session is lost at once",
    setUp: () => ({
      entry: {
        url: `${serve((_, body) => {
          if (body.method === "tools/list") return new Response(null, { status: 404 });
          const answer = body.method === undefined ? undefined : healthy(body);
          answer?.headers.set("mcp-session-id", crypto.randomUUID());
          return answer;
        })}/mcp`,
        ...quick,
      },
    }),
    step: "tools",
    words: [/answered 404, in a new session, too/, /does not keep its sessions/],
    exit: 1,
  },
  {
    name: "27 the server refuses the configured header",
    setUp: () => ({
      entry: {
        url: `${serve((request) => (new URL(request.url).pathname === "/mcp" ? challenged(undefined) : new Response(null, { status: 404 })))}/mcp`,
        headers: { "X-Api-Key": "canary-pass" },
      },
    }),
    step: "challenge",
    words: [/refuses the configured headers \(X-Api-Key\), and offers no sign-in/],
    exit: 4,
  },
  {
    name: "29 the authorization server does not check PKCE",
    setUp: () => ({
      entry: {
        url: signInServer((pathname, origin) =>
          documents(pathname, origin, { code_challenge_methods_supported: ["plain"] }),
        ),
      },
    }),
    step: "authorization server",
    words: [/does not say that it checks PKCE/, /"pkce": "S256"/],
    exit: 1,
  },
  {
    name: "30 one place of the metadata fails",
    setUp: () => ({
      entry: {
        url: signInServer((pathname) =>
          pathname.endsWith("oauth-authorization-server")
            ? new Response(null, { status: 500 })
            : undefined,
        ),
      },
    }),
    step: "authorization server",
    words: [/localhost:\d+\/\.well-known\/oauth-authorization-server: .* answered 500/],
    exit: 1,
  },
  {
    name: "33 the token is refused, and this machine's clock is an hour off",
    setUp: () => ({
      entry: {
        url: `${serve(() => {
          const answer = challenged("Bearer");
          answer.headers.set("date", new Date(Date.now() + 3_600_000).toUTCString());
          return answer;
        })}/mcp`,
        token: "t0ken-canary-pass",
      },
    }),
    step: "token",
    words: [/answered 401.*; this machine's clock is 60 min behind the server's/],
    exit: 4,
  },
  {
    name: "35 initialize is answered without a result that Codex takes",
    setUp: () => ({
      entry: {
        url: `${serve((_, { id, method }) => (method === "initialize" ? Response.json({ jsonrpc: "2.0", id, result: { protocolVersion: "2025-06-18", capabilities: {} } }) : undefined))}/mcp`,
      },
    }),
    step: "initialize",
    words: [/Codex would refuse the server: its answer to initialize has no serverInfo/],
    exit: 1,
  },
  {
    name: "a connection that breaks is not told as a call that may have been executed",
    setUp: async () => ({
      entry: { url: `http://127.0.0.1:${await closingPort()}/mcp`, ...quick },
    }),
    step: "HTTP",
    words: [/broke before an answer came/, /closes connections early/],
    exit: 1,
  },
];

/** A client certificate, and the key of `name`. */
function clientFiles(name: string) {
  const key = join(folder.path, "client.key");
  writeFileSync(key, pem(`${name}.key`), { mode: 0o600 });
  return {
    network: {
      caFile: certificateFile("ca.pem"),
      clientCertFile: certificateFile("client.pem"),
      clientKeyFile: key,
    },
  };
}

interface Reported {
  readonly name: string;
  readonly outcome: string;
  readonly detail?: string;
  readonly warnings?: readonly string[];
  readonly error?: { readonly message: string; readonly hint?: string };
}

test.each(failures)("$name", async ({ setUp, step, words, exit }) => {
  const { entry, env = {}, afterwards } = await setUp();
  const file = join(folder.path, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers: { kb: entry } }), { mode: 0o600 });
  afterwards?.();
  const home = { HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path, PATH: "/nowhere" };
  const context = testContext({ env: { ...home, ...env } });
  const code = await command.run({ name: undefined, server: undefined, json: true }, context);
  const { servers } = JSON.parse(context.printed) as {
    servers: { steps: Reported[]; notTried: string[] }[];
  };
  const [walk] = servers;
  const failed = walk!.steps.find(({ outcome }) => outcome === "failed");
  const told = [
    ...walk!.steps.flatMap(({ name, warnings = [] }) => warnings.map((line) => `${name}: ${line}`)),
    failed?.error?.message ?? "",
    failed?.error?.hint ?? "",
  ].join("\n");
  expect([failed?.name ?? "works", told]).toEqual([step, told]);
  for (const each of words) expect(told).toMatch(each);
  expect(code).toBe(exit);
  expect(walk!.steps.at(-1)?.name).toBe(failed?.name ?? "clock");
  expect(context.printed).not.toContain("canary-pass");
});

test("7 IPv6 does not work, IPv4 does: a warning names the address and the setting", async () => {
  const url = new URL(`${serve()}/mcp`);
  const settings = plainSettings(url);
  const request = async () => ({ response: new Response() }) as FirstAnswer;
  const facts = { settings, env: {}, request };
  const certificates = {} as Certificates;
  const found = await tcpFinding(["::1", "127.0.0.1"], { ...facts, certificates });
  expect(found.detail).toBe(`connected to 127.0.0.1, port ${url.port}`);
  expect(found.warnings).toEqual([
    '::1 (ECONNREFUSED) cannot be reached: "network.ipFamily": 4 leaves it out',
  ]);
});
