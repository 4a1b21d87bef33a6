import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DemoServer, startDemoServer } from "../../../src/commands/demo/server.ts";
import { command } from "../../../src/commands/doctor/doctor.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { serveHttp } from "../../support/serve-http.ts";

let folder: ReturnType<typeof ownFolder>;
let demo: DemoServer;
beforeEach(() => {
  folder = ownFolder();
  demo = startDemoServer();
});
afterEach(async () => {
  await demo.stop();
  folder[Symbol.dispose]();
});

/** Runs the command in this process; ports, times and the folder are replaced in its text. */
async function examined(
  servers: object,
  name?: string,
  env: Record<string, string> = {},
  json = false,
) {
  const file = join(folder.path, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const home = { HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path, PATH: "/nowhere" };
  const context = testContext({ env: { ...home, ...env } });
  const code = await command.run({ name, server: undefined, json }, context);
  const printed = context.printed
    .replaceAll(folder.path, "HOME")
    .replaceAll(/(127\.0\.0\.1|port)(:| )\d+/g, "$1$2PORT")
    .replaceAll(/\(\d+ ms\)/g, "(N ms)");
  return { code, printed };
}

const entry = () => ({ url: demo.url.href, token: demo.token });

test("prints one line for each step, and then what is on this machine", async () => {
  const { code, printed } = await examined({ kb: entry() });
  expect(printed.replaceAll(/\d+ characters/g, "N characters")).toBe(`kb  http://127.0.0.1:PORT/mcp
  ✓ configuration: HOME/config.json, mode 0600, yours (N ms)
  ✓ credential: token in HOME/config.json, N characters (N ms)
  - name: 127.0.0.1 is an address (N ms)
  ✓ route: direct (N ms)
  ✓ TCP: connected to 127.0.0.1, port PORT (N ms)
  - TLS: not used: the URL says http:// (N ms)
  ✓ HTTP: 200, application/json;charset=utf-8 (N ms)
  - challenge: none: accepted (N ms)
  - resource metadata: not needed (N ms)
  - authorization server: not needed (N ms)
  - registration: not needed (N ms)
  ✓ token: N characters (N ms)
  ✓ initialize: MCP 2025-06-18, server codex-mcp-http-bridge demo (N ms)
  ✓ tools: 3 tools (N ms)
  - listening stream: the server offers none (N ms)
  ✓ clock: agrees with the server's (N ms)

this machine
  - clients: no client's configuration starts this bridge (N ms)
  ✓ other copies: none on PATH (N ms)
`);
  expect(code).toBe(0);
});

test("a failed step ends its server's walk with the hint, in ASCII where the terminal wants that, and the next server is walked", async () => {
  const wrong = { ...entry(), token: "wrong-canary-token" };
  const { code, printed } = await examined({ wrong, kb: entry() }, undefined, { LANG: "C" });
  expect(printed).toContain(`  [failed] token: Authentication failed: server "wrong" answered 401`);
  expect(printed).toContain(`
    hint: the token may have expired: run codex-mcp-http-bridge setup --server wrong to put in a new one
  not tried: initialize, tools, listening stream, clock

kb  http://`);
  expect(printed).toContain("  [ok] tools: 3 tools");
  expect([...printed].filter((character) => character > "~")).toEqual([]);
  expect(printed).not.toContain("canary");
  expect(code).toBe(4);
});

test("--json has the same facts", async () => {
  const { code, printed } = await examined(
    { kb: { ...entry(), token: "wrong-canary-token" } },
    "kb",
    {},
    true,
  );
  const { servers, machine } = JSON.parse(printed);
  expect(servers).toMatchObject([
    {
      server: "kb",
      url: "http://127.0.0.1:PORT/mcp",
      ok: false,
      notTried: ["initialize", "tools", "listening stream", "clock"],
    },
  ]);
  expect(servers[0].steps.at(-1)).toMatchObject({
    name: "token",
    outcome: "failed",
    error: { kind: "unauthorized" },
  });
  expect(machine).toMatchObject([{ name: "clients" }, { name: "other copies" }]);
  expect(printed).not.toContain("canary");
  expect(code).toBe(4);
});

test.each([
  ["a server that is not configured", "nosuch", 'server "nosuch" is not configured'],
  ["a URL of plain http to the internet", "http://kb.example/mcp", "the URL: "],
])("%s is a failure of the configuration", async (_, name, words) => {
  const { code, printed } = await examined({ kb: entry() }, name);
  expect(printed).toContain(`✗ configuration: ${words}`);
  expect(code).toBe(3);
});

test("without a home of the user the server is walked all the same", async () => {
  const { code, printed } = await examined({ kb: entry() }, "kb", { HOME: "" });
  expect(printed).toContain("✓ tools: 3 tools");
  expect(printed).toContain("✗ clients: the variable HOME is not set to an absolute path");
  expect(code).toBe(3);
});

test("a URL stands in place of a name", async () => {
  const { printed } = await examined({}, demo.url.href);
  expect(printed).toContain('✗ challenge: Authentication failed: server "127-0-0-1-');
});

test("registers nothing and starts no sign-in", async () => {
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    const { pathname, origin } = new URL(request.url);
    const body = await request.text();
    seen.push(`${request.method} ${pathname} ${pathname === "/register" ? body : ""}`.trim());
    if (pathname === "/mcp")
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } });
    if (pathname.includes("protected-resource"))
      return Response.json({ resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (pathname.includes("oauth-authorization-server"))
      return Response.json({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        registration_endpoint: `${origin}/register`,
        device_authorization_endpoint: `${origin}/device`,
        code_challenge_methods_supported: ["S256"],
      });
    return Response.json({ error: "invalid_client_metadata" }, { status: 400 });
  });
  const { code, printed } = await examined({ kb: { url: url.href } });
  expect(printed).toContain("✓ registration: a client can be registered at 127.0.0.1:PORT");
  expect(printed).toContain(
    '✗ token: server "kb" needs a sign-in (N ms)\n    hint: run codex-mcp-http-bridge login --server kb\n',
  );
  expect(code).toBe(4);
  // No JSON, so that no server can take it for a registration.
  expect(seen.filter((line) => line.includes("/register"))).toEqual(["POST /register {"]);
  expect(seen.filter((line) => /authorize|token|device/.test(line))).toEqual([]);
});

test("a server that quotes what it was sent shows no secret", async () => {
  const secret = "canary-4c1d9e77";
  const url = serveHttp(
    ({ headers }) =>
      new Response(`you sent ${headers.get("authorization")} and ${headers.get("x-pin")}`, {
        status: 401,
        headers: { server: `${headers.get("authorization")}` },
      }),
  );
  const kb = {
    url: `${url}/\${KB_PATH}?key=${secret}`,
    token: secret,
    headers: { "X-Pin": secret },
  };
  for (const json of [false, true]) {
    const env = { KB_PATH: secret };
    const { printed } = await examined({ kb: { ...kb, retry: { attempts: 1 } } }, "kb", env, json);
    expect(printed).toContain("you sent");
    expect(printed).not.toContain("canary");
  }
});

test("stale entries of clients are named, with the command that mends them", async () => {
  mkdirSync(join(folder.path, ".codex"));
  mkdirSync(join(folder.path, ".cursor"));
  const codex = `[mcp_servers.kb]\ncommand = "/gone/codex-mcp-http-bridge"\nargs = ["run", "--server", "kb"]\n`;
  writeFileSync(join(folder.path, ".codex/config.toml"), codex);
  const bin = join(folder.path, "codex-mcp-http-bridge");
  writeFileSync(bin, "#!/bin/sh\n");
  chmodSync(bin, 0o755);
  const cursor = {
    mcpServers: {
      old: { command: bin, args: ["run", "-s", "removed"] },
      other: { command: "npx" },
    },
  };
  writeFileSync(join(folder.path, ".cursor/mcp.json"), JSON.stringify(cursor));
  const { code, printed } = await examined({ kb: entry() });
  expect(printed).toContain(
    '✗ clients: stale: "old" of Cursor (HOME/.cursor/mcp.json) names the server "removed", which is not configured; ' +
      '"kb" of Codex (HOME/.codex/config.toml) starts /gone/codex-mcp-http-bridge, which is no executable file',
  );
  expect(printed).toContain(
    "hint: run codex-mcp-http-bridge client-config --for cursor --remove --server old\n",
  );
  expect(code).toBe(3);
});

test("entries that work, and other copies on PATH, are named", async () => {
  const bin = join(folder.path, "bin");
  mkdirSync(bin);
  mkdirSync(join(folder.path, ".codex"));
  const copy = join(bin, "codex-mcp-http-bridge");
  writeFileSync(copy, "#!/bin/sh\n");
  chmodSync(copy, 0o755);
  const codex = `[mcp_servers.kb]\ncommand = "codex-mcp-http-bridge"\nargs = ["run", "--server", "kb"]\nenabled = false\n`;
  writeFileSync(join(folder.path, ".codex/config.toml"), codex);
  const { code, printed } = await examined({ kb: entry() }, "kb", { PATH: bin });
  expect(printed).toContain("✓ clients: Codex (kb, switched off) (N ms)\n");
  expect(printed).toContain(
    "✓ other copies: HOME/bin/codex-mcp-http-bridge (N ms)\n  ! other copies: PATH leads to HOME/bin/",
  );
  expect(code).toBe(0);
});
