// What the current directory can do to a compiled bridge: nothing (SECURITY.md).
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compiledBridge } from "../support/binary.ts";
import { ownFolder } from "../support/folder.ts";
import { watchOpens } from "../support/opens.ts";
import { serveHttp } from "../support/serve-http.ts";
import { keys, Session } from "../support/terminal.ts";

const bridge = compiledBridge();
const secret = "canary-token-5f8a3b1c9d";
let folders: Record<"home" | "tools" | "cwd", ReturnType<typeof ownFolder>>;
let env: Record<string, string>;
let marker: string;
let proxied: number;
let authorizations: string[];

beforeEach(() => {
  folders = { home: ownFolder(), tools: ownFolder(), cwd: ownFolder() };
  proxied = 0;
  authorizations = [];
  marker = join(folders.tools.path, "executed");
  env = { HOME: folders.home.path, PATH: `.::${folders.tools.path}:/usr/bin:/bin` };
  const { href: url, origin } = serveHttp(answer);
  const auth = { type: "oauth", grant: "client_credentials", clientId: "c", clientSecret: secret };
  const servers = {
    kb: { url, tokenCommand: ["vault"] },
    machine: { url, auth: { ...auth, issuer: origin } },
  };
  put(folders.tools.path, "vault", `#!/bin/sh\necho ${secret}\n`, 0o755);
  put(folders.home.path, ".codex-mcp-bridge/config.json", JSON.stringify({ version: 1, servers }));
  fill(folders.cwd.path);
});

afterEach(() => {
  for (const folder of Object.values(folders)) folder[Symbol.dispose]();
});

function put(folder: string, path: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, path), text, { mode });
}

/** Everything that a run time or a program has ever looked for in the directory it was started in. */
function fill(cwd: string): void {
  const proxy = serveHttp(() => new Response(String(proxied++))).origin;
  const evil = `require("fs").writeFileSync(${JSON.stringify(marker)}, "x");`;
  put(cwd, "evil.js", evil);
  put(cwd, "bunfig.toml", 'preload = ["./evil.js"]\n[run]\npreload = ["./evil.js"]\n');
  for (const name of [".env", ".env.local", ".env.development", ".env.production"])
    put(
      cwd,
      name,
      `NODE_TLS_REJECT_UNAUTHORIZED=0\nBUN_CONFIG_VERBOSE_FETCH=curl\nHTTP_PROXY=${proxy}\nALL_PROXY=${proxy}\nCODEX_MCP_BRIDGE_HOME=${cwd}\n`,
    );
  put(cwd, "package.json", '{"name":"x","imports":{"#*":"./evil.js"}}');
  put(cwd, "tsconfig.json", '{"compilerOptions":{"paths":{"*":["./evil.js"]}}}');
  for (const name of [
    ...["citty", "valibot", "consola", "oauth4webapi", "toml-eslint-parser", "@clack/prompts"],
  ])
    put(cwd, `node_modules/${name}/index.js`, evil);
  put(cwd, "node_modules/consola/core/index.js", evil);
  put(cwd, "config.json", '{"version":1,"servers":{}}');
  for (const name of ["vault", "codex"])
    put(cwd, name, `#!/bin/sh\ntouch ${marker}\necho stolen-token-123\n`, 0o755);
}

/** An MCP server with one tool, and the authorization server of its machine clients. */
async function answer(request: Request): Promise<Response> {
  const { origin, pathname } = new URL(request.url);
  if (pathname === "/.well-known/oauth-authorization-server")
    return Response.json({ issuer: origin, token_endpoint: `${origin}/token` });
  if (pathname === "/token")
    return Response.json({ access_token: "machine-token-77", token_type: "Bearer" });
  if (pathname !== "/mcp" || request.method !== "POST") return new Response(null, { status: 404 });
  const authorization = request.headers.get("authorization");
  if (authorization === null) return new Response(null, { status: 401 });
  authorizations.push(authorization);
  const { id, method } = (await request.json()) as { id?: unknown; method: string };
  if (id === undefined) return new Response(null, { status: 202 });
  const result =
    method === "initialize"
      ? {
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "s", version: "1" },
        }
      : { tools: [{ name: "find", inputSchema: { type: "object" } }] };
  return Response.json({ jsonrpc: "2.0", id, result });
}

const initialize =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}\n';

async function drive(words: readonly string[]) {
  await using child = Bun.spawn([bridge, ...words], {
    cwd: folders.cwd.path,
    env,
    stdin: new TextEncoder().encode(words[0] === "run" ? initialize : ""),
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = Promise.all([child.stdout.text(), child.stderr.text()]);
  return { text: (await said).join(""), code: await child.exited };
}

test.each([
  ["run --server kb --log-level trace", '"serverInfo"'],
  ["run --server kb --no-cache", '"serverInfo"'],
  ["run --server machine", '"serverInfo"'],
  ["run --demo", '"serverInfo"'],
  ["setup --server more --url https://kb.example/mcp --no-auth", "more"],
  ["setup --schema", '"$schema"'],
  ["codex-config", "[mcp_servers.kb]"],
  ["codex-config --write", "✓ Wrote"],
  ["test --all", "✓ Found 1 tool"],
  ["status", "machine"],
  ["headers --server machine", "machine-token-77"],
  ["remove kb", 'Removed server "kb"'],
  ["--help", "codex-config"],
  ["setup --help", "--token-stdin"],
])(
  "in a hostile directory the program opens nothing and behaves as elsewhere: %s",
  async (line, says) => {
    using watch = watchOpens(folders.cwd.path);
    const { text, code } = await drive(line.split(" "));
    expect(watch.opened()).toEqual([]);
    expect(text).toContain(says);
    expect(code).toBe(0);
    expect(existsSync(marker)).toBe(false);
    expect(proxied).toBe(0);
    for (const value of authorizations)
      expect([`Bearer ${secret}`, "Bearer machine-token-77"]).toContain(value);
  },
);

test("the wizard opens nothing in a hostile directory, which does not change its behaviour", async () => {
  using watch = watchOpens(folders.cwd.path);
  await using session = new Session(["setup"], env, {
    program: [bridge],
    cwd: folders.cwd.path,
  });
  await session.sees("What next?");
  session.type(keys.interrupt);
  await session.ended;
  expect(watch.opened()).toEqual([]);
  expect(existsSync(marker)).toBe(false);
});

test("the watcher reports a file that is opened in a watched folder", () => {
  const cwd = folders.cwd.path;
  using watch = watchOpens(cwd);
  existsSync(join(cwd, ".env"));
  expect(watch.opened()).toEqual([]);
  readFileSync(join(cwd, ".env"));
  readFileSync(join(cwd, "node_modules/citty/index.js"));
  expect(watch.opened()).toEqual([".env", "node_modules/citty/index.js"]);
});
