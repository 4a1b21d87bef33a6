import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DemoServer, startDemoServer } from "../../../src/commands/demo/server.ts";
import { command } from "../../../src/commands/test/test.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { lyingServer } from "../../support/lying-server.ts";
import { runProgram } from "../../support/program.ts";
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

const nothing = {
  ...{ server: [], all: false, call: undefined, args: undefined },
  ...{ watch: undefined, json: false },
};

const toolCalled = (name: string) => ({ name, inputSchema: { type: "object" } });

/** Runs the command in this process, against a configuration of these servers. */
async function tested(
  servers: Record<string, object>,
  values: Partial<Parameters<typeof command.run>[0]> = {},
  variables: Record<string, string> = {},
) {
  const file = join(folder.path, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const context = testContext({
    env: {
      ...variables,
      CODEX_MCP_BRIDGE_HOME: folder.path,
      HTTPS_PROXY: "http://127.0.0.1:9",
      ODD: "canary",
    },
  });
  const code = await command.run({ ...nothing, ...values }, context).catch((error) => {
    if (error instanceof BridgeError) return error;
    throw error;
  });
  return {
    code,
    printed: context.printed
      .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
      .replaceAll(/\d+\.\d s/g, "TIME"),
  };
}

const demoEntry = () => ({ url: demo.url.href, token: demo.token });

/** A server that quotes what it was sent: in its name, a tool's name and an error of its own. */
const quoting = () =>
  serveHttp(async (request) => {
    const { id, method } = (await request.json().catch(() => ({}))) as Record<string, unknown>;
    if (id === undefined) return new Response(null, { status: 202 });
    const { headers, url } = request;
    const name = `${headers.get("authorization")} ${headers.get("x-pin")} ${url}`;
    const serverInfo = { name, version: "1" };
    const begun = {
      protocolVersion: "2025-06-18",
      capabilities: { tools: {}, prompts: {} },
      serverInfo,
    };
    const error = { code: -32000, message: `not with ${name}` };
    if (method === "prompts/list") return Response.json({ jsonrpc: "2.0", id, error });
    const result = method === "initialize" ? begun : { tools: [toolCalled(name)] };
    return Response.json({ jsonrpc: "2.0", id, result });
  });

test("without --server and with several servers configured, a hint names --all", async () => {
  const { code } = await tested({ kb: demoEntry(), crm: demoEntry() });
  expect(code).toMatchObject({ kind: "usage", hint: "add --all, or --server kb" });
});

describe("a server that quotes what it was sent", () => {
  const secret = "canary-4c1d9e77";
  const file = () => join(folder.path, "token");
  const signedIn = (origin: string) => {
    const client = { id: "c", method: "none", source: "configured" };
    const endpoint = { issuer: "https://x", tokenEndpoint: "https://x/t", client };
    const grant = { ...endpoint, accessToken: secret, tokenType: "Bearer", obtainedAt: Date.now() };
    mkdirSync(join(folder.path, "credentials"), { mode: 0o700 });
    const stored = { version: 1, server: "kb", origin, grant };
    const path = join(folder.path, "credentials/kb.json");
    writeFileSync(path, JSON.stringify(stored), { mode: 0o600 });
    return {};
  };

  test.each([
    ["token", () => ({ token: secret })],
    ["tokenEnv", () => ({ tokenEnv: "TOKEN" })],
    ["tokenFile", () => ({ tokenFile: file() })],
    ["Authorization header", () => ({ headers: { Authorization: `Bearer \${TOKEN}` } })],
    ["stored sign-in", ({ origin }: URL) => signedIn(origin)],
  ])("gets its text redacted: %s", async (_, credential) => {
    writeFileSync(file(), secret, { mode: 0o600 });
    const url = quoting();
    const entry = credential(url) as { headers?: object };
    const headers = { ...entry.headers, "X-Pin": "4711abc" };
    const kb = { ...entry, url: `${url}?key=${secret}`, headers };
    for (const json of [false, true]) {
      const { printed } = await tested({ kb }, { json }, { TOKEN: secret });
      expect(printed).toContain("not with");
      expect(printed).not.toContain("canary");
    }
  });
});

describe("the report", () => {
  test("shows the server's name and its tools", async () => {
    expect(await tested({ kb: demoEntry() })).toEqual({
      code: 0,
      printed: `Testing connection to 'kb'...
URL: http://127.0.0.1:PORT/mcp

1. Testing initialize...
✓ Server name: codex-mcp-http-bridge demo

2. Testing tools/list...
✓ Found 3 tools:
  - echo
  - clock
  - count

✓ All tests passed!
`,
    });
  });

  test("lists all pages, resources and prompts, and cleans the server's texts", async () => {
    await using server = lyingServer({
      initialize: {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {}, resources: {}, prompts: {} },
        serverInfo: { name: "Guru\u001b[2J\u202e Bank", version: "1" },
      },
      "tools/list": ({ cursor }) =>
        cursor === "2"
          ? { tools: ["list_tables", "x", "y"].map(toolCalled) }
          : { tools: ["query", "re\u0007port"].map(toolCalled), nextCursor: "2" },
      "resources/list": { resources: [{ uri: "kb://one" }] },
      "prompts/list": { prompts: [] },
    });
    const { code, printed } = await tested({ kb: { url: server.url, auth: { type: "none" } } });
    expect(printed).toBe(`Testing connection to 'kb'...
URL: http://127.0.0.1:PORT/mcp

1. Testing initialize...
✓ Server name: Guru [2J Bank

2. Testing tools/list...
✓ Found 5 tools:
  - query
  - re port
  - list_tables
  ... and 2 more

3. Testing resources/list...
✓ Found 1 resource:
  - kb://one

4. Testing prompts/list...
✓ Found 0 prompts

✓ All tests passed!
`);
    expect(code).toBe(0);
  });

  test("shows a call and its answer", async () => {
    const call = { call: "echo", args: '{"text":\n"one\\ntwo \\u001b[31m"}' };
    const { code, printed } = await tested({ kb: demoEntry() }, call);
    expect(printed).toContain("3. Testing tools/call echo...\n✓ Answered:\n  one\n  two [31m\n");
    expect(code).toBe(0);
  });

  test("fails if the tool reports an error", async () => {
    await using server = lyingServer({
      "tools/call": { isError: true, content: [{ type: "text", text: "no such\ntable" }] },
    });
    const { code, printed } = await tested(
      { kb: { url: server.url, auth: { type: "none" } } },
      { call: "query" },
    );
    expect(printed).toContain("✗ the tool reported an error: no such table\nhint: ");
    expect(code).toBe(1);
  });

  test("shows a server's own error message", async () => {
    const { code, printed } = await tested({ kb: demoEntry() }, { call: "nothing" });
    expect(printed).toContain(
      '✗ the server answered tools/call with error -32602: unknown tool "nothing"\nhint: ',
    );
    expect(printed).not.toContain("All tests passed");
    expect(code).toBe(1);
  });

  test("--all tests four servers at a time, reports each as a whole in its order, and ends with a line for all", async () => {
    let under = 0;
    let most = 0;
    const four = Promise.withResolvers<void>();
    const gate = serveHttp(async (request) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as { id?: number; method: string };
      if (id === undefined) return new Response(null, { status: 202 });
      const isStart = method === "initialize";
      if (isStart) most = Math.max(most, ++under);
      if (under === 4) four.resolve();
      if (isStart) await four.promise;
      if (method === "tools/list") under--;
      const serverInfo = { name: "s", version: "1" };
      const start = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo };
      return Response.json({ jsonrpc: "2.0", id, result: isStart ? start : { tools: [] } });
    });
    const auth = { type: "none" };
    const names = ["a", "b", "c", "d", "e"];
    const servers = Object.fromEntries(names.map((name) => [name, { url: gate.href, auth }]));
    const { code, printed } = await tested(servers, { all: true });
    expect(code).toBe(0);
    expect(most).toBe(4);
    const order = [...printed.matchAll(/connection to '(.)'|All tests (passed)!/g)];
    expect(order.map(([, name, passed]) => name ?? passed)).toEqual(
      names.flatMap((name) => [name, "passed"]),
    );
    expect(printed).toEndWith("\n✓ All 5 servers passed (TIME)\n");
  });

  test("accepts a server without tools, and refuses a result that is no list", async () => {
    await using without = lyingServer({
      initialize: {
        protocolVersion: "2025-06-18",
        capabilities: {},
        serverInfo: { name: "s", version: "1" },
      },
      "tools/list": undefined,
    });
    await using wrong = lyingServer({ "tools/list": { tools: "many" } });
    const auth = { type: "none" };
    const servers = { without: { url: without.url, auth }, wrong: { url: wrong.url, auth } };
    const { code, printed } = await tested(servers, { all: true });
    expect(printed).toContain(
      "✓ Found 0 tools\n\n✓ All tests passed! (TIME)\n\nTesting connection to 'wrong'",
    );
    expect(printed).toEndWith("\n✗ Not passed (TIME)\n\n✗ 1 of 2 servers failed (TIME): wrong\n");
    expect(printed).toContain(
      '✗ the answer to tools/list holds no list "tools"\nhint: the server\'s operator must correct',
    );
    expect(code).toBe(1);
  });

  test.each<[string, object, string]>([
    [
      "a cursor that comes again",
      { tools: [toolCalled("t")], nextCursor: "again" },
      "its pages do",
    ],
    ["a tool without a schema", { tools: [{ name: "t" }] }, '"t" has no inputSchema'],
    ["an entry that is null", { tools: [null, toolCalled("t")] }, '"#1" is null'],
  ])("fails at a list that Codex drops: %s", async (_, list, fault) => {
    await using server = lyingServer({ "tools/list": list });
    const entry = { url: server.url, auth: { type: "none" } };
    const { code, printed } = await tested({ kb: entry });
    expect(printed).toContain(`✗ Codex would drop the whole list: ${fault}`);
    expect(printed).toContain("the server's operator must correct the list");
    expect(printed).toContain(
      fault.startsWith("its") ? "\nhint: the" : '\nhint: "tools": {"repair": true}',
    );
    expect(code).toBe(1);
    const report = JSON.parse((await tested({ kb: entry }, { json: true })).printed);
    expect(report).toMatchObject({ ok: false, steps: [{}, { error: { kind: "bad-answer" } }] });
  });

  test("warns of a tool that Codex leaves out or alters", async () => {
    const description = "x".repeat(5000);
    const long = { name: "u", inputSchema: { properties: { a: { description } } } };
    const list = { tools: [toolCalled("t"), toolCalled("t"), long] };
    await using server = lyingServer({ "tools/list": list });
    const { code, printed } = await tested({ kb: { url: server.url, auth: { type: "none" } } });
    expect(printed).toContain('\nwarning: "t" is listed twice; Codex shows the first one\n');
    expect(printed).toMatch(/\nwarning: "u" has an inputSchema of 50\d\d bytes; above 5000 Codex /);
    expect(code).toBe(0);
  });
});

describe("each class of failure has its message and its exit code", () => {
  test.each([
    [401, "Authentication failed", 4],
    [403, "Access forbidden", 1],
    [404, "Server not found", 1],
    [500, "Server error", 1],
    [502, "Server error", 1],
  ])("%d is %s", async (status, words, exit) => {
    await using server = lyingServer({}, status);
    const entry = { url: server.url, token: "canary-token", retry: { attempts: 1 } };
    const { code, printed } = await tested({ kb: entry });
    expect(printed).toContain(`✗ ${words}`);
    expect(printed).toContain("\nhint: ");
    expect(printed).not.toContain("canary-token");
    expect(code).toBe(exit);
  });

  test("a variable that Codex does not pass on is named, with exit code 3", async () => {
    const { code, printed } = await tested({ kb: { url: demo.url.href, tokenEnv: "NOT_SET" } });
    expect(printed).toContain("NOT_SET is not set\nhint: ");
    expect(code).toBe(3);
  });
});

describe("the environment", () => {
  test("holds only the variables that Codex passes on: a variable that no entry names does not reach the bridge", async () => {
    const named = { url: demo.url.href, token: demo.token, headers: { "X-Odd": "${ODD}" } };
    const hidden = { url: demo.url.href, tokenCommand: ["/bin/sh", "-c", 'printf %s "$ODD"'] };
    expect((await tested({ named })).code).toBe(0);
    expect((await tested({ hidden })).code).not.toBe(0);
  });
});

describe("--json", () => {
  test("has each step, and for a failed step its error", async () => {
    const wrong = { url: demo.url.href, token: "wrong-token" };
    const { code, printed } = await tested({ kb: demoEntry(), wrong }, { all: true, json: true });
    expect(JSON.parse(printed)).toEqual([
      {
        server: "kb",
        url: "http://127.0.0.1:PORT/mcp",
        ok: true,
        steps: [
          {
            name: "initialize",
            ok: true,
            ms: expect.any(Number),
            detail: "Server name: codex-mcp-http-bridge demo",
          },
          { name: "tools/list", ok: true, ms: expect.any(Number), detail: "Found 3 tools" },
        ],
        tools: ["echo", "clock", "count"],
      },
      {
        server: "wrong",
        url: "http://127.0.0.1:PORT/mcp",
        ok: false,
        steps: [
          {
            name: "initialize",
            ok: false,
            ms: expect.any(Number),
            error: {
              kind: "unauthorized",
              message: expect.stringContaining("Authentication failed"),
              hint: expect.any(String),
            },
          },
        ],
        tools: [],
      },
    ]);
    expect(code).toBe(4);
  });

  test("stays JSON if a secret is redacted in it", async () => {
    const words = 'authorization: "canary-1234"';
    const serverInfo = { name: words, version: "1" };
    const initialize = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo };
    await using server = lyingServer({ initialize });
    const { printed } = await tested({ kb: { url: server.url } }, { json: true });
    expect(printed).not.toContain("canary");
    expect(JSON.parse(printed).steps[0].detail).toBe('Server name: authorization: "..."');
  });

  test("is one object for one server", async () => {
    const { printed } = await tested({ kb: demoEntry() }, { json: true });
    expect(JSON.parse(printed)).toMatchObject({ server: "kb", ok: true });
  });
});

describe("wrong usage", () => {
  test.each([
    [{ args: "{}" }, "--args needs --call TOOL"],
    [{ call: "echo", args: "[1]" }, "--args is not a JSON object"],
    [{ call: "echo", args: "{" }, "--args is not a JSON object"],
    [{ all: true, server: ["kb"] }, "--all and --server exclude each other"],
  ])("%j", async (values, message) => {
    const { code } = await tested({ kb: demoEntry() }, values);
    expect(code).toMatchObject({ kind: "usage", message });
  });

  test("a server that is not configured is an error before any test starts", async () => {
    const { code } = await tested({ kb: demoEntry() }, { server: ["kb", "other"] });
    expect(code).toMatchObject({ kind: "configuration" });
    expect(demo.visits).toEqual([]);
  });

  test("--all without configured servers is an error", async () => {
    expect((await tested({}, { all: true })).code).toMatchObject({ kind: "configuration" });
  });
});

test("the compiled program prints the report, and nothing on stderr", async () => {
  await tested({ kb: demoEntry() });
  const env = { CODEX_MCP_BRIDGE_HOME: folder.path, HOME: folder.path };
  const { code, stdout, stderr } = await runProgram(["test", "-s", "kb"], { env });
  expect(stdout).toEndWith("\n✓ All tests passed!\n");
  expect([code, stderr]).toEqual([0, ""]);
});
