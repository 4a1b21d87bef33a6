// Servers, authorization servers and clients that others wrote, at both ends of the bridge. Each does a few things;
// the results become the tables of docs/compatibility.md.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ownFolder } from "../support/folder.ts";
import { bridgeHome, signIn } from "../support/oauth-bridge.ts";
import { programWords, runProgram } from "../support/program.ts";
import { exerciseDirectly, exerciseThroughBridge } from "./support/exercise.ts";
import {
  fileOf,
  freePort,
  goServer,
  isWhole,
  type OwnProcess,
  python,
  startOnPort,
  startPrinting,
} from "./support/process.ts";
import {
  type Cell,
  installed,
  note,
  pinned,
  property,
  required,
  writeReport,
} from "./support/report.ts";

const limitMs = isWhole ? 480_000 : 120_000;

const pythonServer =
  (venv: string, framework: string, ...modes: string[]) =>
  () =>
    startPrinting([python(venv), fileOf("servers/server.py"), framework, ...modes]);
const scriptServer = (file: string) => () =>
  startPrinting([process.execPath, fileOf(`servers/${file}.mjs`)]);
const stdioServer = [python("mcp1"), fileOf("servers/server.py"), "mcp", "stdio"];

type Systems = Record<string, () => Promise<OwnProcess>>;

const servers: Systems = {
  [`Python mcp ${pinned("mcp1", "mcp")}`]: pythonServer("mcp1", "mcp"),
  [`Python mcp ${pinned("mcp2", "mcp")}`]: pythonServer("mcp2", "mcp"),
  [`fastmcp ${pinned("fastmcp2", "fastmcp")}`]: pythonServer("fastmcp2", "fastmcp"),
  [`fastmcp ${pinned("fastmcp4", "fastmcp")}`]: pythonServer("fastmcp4", "fastmcp"),
  [`go-sdk ${required("github.com/modelcontextprotocol/go-sdk")}`]: () => startPrinting([goServer]),
  [`@hono/mcp ${installed("@hono/mcp")}`]: scriptServer("hono"),
  [`supergateway ${installed("supergateway")}`]: () =>
    startOnPort((port) => [
      ...["node", fileOf("node_modules/supergateway/dist/index.js")],
      ...["--stdio", stdioServer.join(" "), "--outputTransport", "streamableHttp"],
      ...["--stateful", "--logLevel", "none", "--port", port],
    ]),
  [`mcp-proxy ${pinned("mcp-proxy", "mcp-proxy")}`]: () =>
    startOnPort((port) => [
      ...[python("mcp-proxy"), "-m", "mcp_proxy", "--port", port, "--", ...stdioServer],
    ]),
};

/** Systems that need Java and minutes to start; they run with `--all`. */
const javaServers: Systems = {
  [`Spring AI ${property("spring-ai.version")}`]: () =>
    startOnPort((port) => [
      "java",
      "-jar",
      fileOf("out/spring/interop-1.jar"),
      `--server.port=${port}`,
    ]),
};
const javaAuthorizationServers: Systems = {
  [`Keycloak ${property("keycloak.version")}`]: async () => {
    const words = [
      fileOf("servers/keycloak.mjs"),
      fileOf("out/keycloak"),
      String(await freePort()),
    ];
    return startPrinting([process.execPath, ...words]);
  },
};
const systemsToRun = (systems: Systems, java: Systems) =>
  Object.keys(isWhole ? { ...systems, ...java } : systems);

const authorizationServers: Systems = {
  [`FastMCP ${pinned("fastmcp4", "fastmcp")}`]: pythonServer("fastmcp4", "fastmcp", "oauth"),
  [`FastMCP ${pinned("fastmcp2", "fastmcp")}`]: pythonServer("fastmcp2", "fastmcp", "oauth"),
  [`Python SDK ${pinned("mcp2", "mcp")}`]: pythonServer("mcp2", "mcp", "oauth"),
  [`Python SDK ${pinned("mcp1", "mcp")}`]: pythonServer("mcp1", "mcp", "oauth"),
  [`TypeScript SDK ${installed("@modelcontextprotocol/sdk")}`]: scriptServer("sdk-oauth"),
  [`workers-oauth-provider ${installed("@cloudflare/workers-oauth-provider")}`]:
    scriptServer("workers-oauth"),
  [`Better Auth ${installed("better-auth")}`]: scriptServer("better-auth"),
};

const clients: Record<string, readonly [venv: string, kind: string]> = {
  [`Python mcp ${pinned("mcp1", "mcp")} as client`]: ["mcp1", "mcp"],
  [`Python mcp ${pinned("mcp2", "mcp")} as client`]: ["mcp2", "mcp"],
  [`fastmcp ${pinned("fastmcp2", "fastmcp")} as client`]: ["fastmcp2", "fastmcp"],
  [`fastmcp ${pinned("fastmcp4", "fastmcp")} as client`]: ["fastmcp4", "fastmcp"],
  [`pydantic-ai ${pinned("pydantic-ai", "pydantic-ai-slim")} as client`]: [
    "pydantic-ai",
    "pydantic-ai",
  ],
  [`OpenAI Agents ${pinned("openai-agents", "openai-agents")} as client`]: [
    "openai-agents",
    "openai-agents",
  ],
};

const cellOf = (holds: boolean, isOffered = true): Cell =>
  holds ? "yes" : isOffered ? "fails" : "not offered";

afterAll(() => {
  writeReport({
    server: Object.keys({ ...servers, ...javaServers }),
    "authorization server": Object.keys({ ...authorizationServers, ...javaAuthorizationServers }),
    client: Object.keys(clients),
  });
});

test.each(systemsToRun(servers, javaServers))(
  "%s as a server does through the bridge what it does without",
  async (name) => {
    await using server = await { ...servers, ...javaServers }[name]!();
    const direct = await exerciseDirectly(server.url);
    const bridged = await exerciseThroughBridge(server.url);
    const cells = Object.fromEntries(
      Object.entries(bridged).map(([check, holds]) => [
        check,
        cellOf(holds, direct[check as keyof typeof direct]),
      ]),
    );
    note("server", name, cells);
    expect(cells).toMatchObject({ tools: "yes", call: "yes" });
    expect(Object.values(cells)).not.toContain("fails");
  },
  limitMs,
);

const callOfAdd = ["test", "--server", "kb", "--call", "add", "--args", '{"a":2,"b":3}'];

test.each(systemsToRun(authorizationServers, javaAuthorizationServers))(
  "%s as an authorization server: sign-in, call, renewal, sign-out",
  async (name) => {
    await using server = await { ...authorizationServers, ...javaAuthorizationServers }[name]!();
    using folder = ownFolder();
    const home = await bridgeHome(folder.path, { url: server.url });
    const run = (...words: string[]) => runProgram(words, { env: home.env });
    await signIn(home);
    const call = await run(...callOfAdd);
    expect({ ...call, stdout: "" }).toEqual({ code: 0, stdout: "", stderr: "" });

    const before = await home.stored();
    const offersRenewal = before.grant.refreshToken !== undefined;
    await home.store({
      ...before,
      grant: { ...before.grant, accessToken: "expired", expiresAt: 1 },
    });
    const renewed = offersRenewal && (await run(...callOfAdd)).code === 0;
    if (!renewed) await home.store(before);
    const { grant } = await home.stored();
    const logout = await run("logout", "--server", "kb");
    expect(logout.code).toBe(0);
    const cells = {
      "sign-in": cellOf(true),
      call: cellOf(call.code === 0),
      renewal: cellOf(renewed, offersRenewal),
      revocation: cellOf(
        await isRevoked(grant, server.url),
        grant.revocationEndpoint !== undefined,
      ),
    };
    note("authorization server", name, cells);
    expect(Object.values(cells)).not.toContain("fails");
  },
  limitMs,
);

interface Grant {
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly tokenEndpoint: string;
  readonly client: { readonly id: string };
}

/** Whether the grant no longer works: a signed access token may be good until it expires, a refresh token not. */
async function isRevoked(grant: Grant, url: string): Promise<boolean> {
  if (grant.refreshToken === undefined) {
    const headers = { authorization: `Bearer ${grant.accessToken}` };
    return (await fetch(url, { method: "POST", headers, body: "{}" })).status === 401;
  }
  const body = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: grant.refreshToken,
    client_id: grant.client.id,
  });
  return !(await fetch(grant.tokenEndpoint, { method: "POST", body })).ok;
}

/** The two servers that the clients reach: one without and one with a sign-in. */
let open: OwnProcess;
let guarded: OwnProcess;
beforeAll(async () => {
  open = await scriptServer("hono")();
  guarded = await scriptServer("workers-oauth")();
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await guarded[Symbol.asyncDispose]();
});

test.each(Object.keys(clients))(
  "%s lists and calls tools through the bridge, signed in and not",
  async (name) => {
    const [venv, kind] = clients[name]!;
    const result = async (url: string, isGuarded: boolean) => {
      using folder = ownFolder();
      const home = await bridgeHome(folder.path, { url });
      if (isGuarded) await signIn(home);
      const bridge = [...programWords, "run", "--server", "kb"];
      const child = Bun.spawn([python(venv), fileOf("clients/client.py"), kind, ...bridge], {
        env: home.env,
        cwd: folder.path,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      return { code: await child.exited, stdout: stdout.trim(), stderr: stderr.slice(-2000) };
    };
    const expected = JSON.stringify({ tools: ["add", "log", "ask"], sum: "5" });
    const cells: Record<string, Cell> = {};
    for (const [column, url, isGuarded] of [
      ["without sign-in", open.url, false],
      ["signed in", guarded.url, true],
    ] as const) {
      const { code, stdout, stderr } = await result(url, isGuarded);
      const holds = code === 0 && stdout.replaceAll(": ", ":").replaceAll(", ", ",") === expected;
      if (!holds) console.error(stdout, stderr);
      cells[column] = cellOf(holds);
    }
    note("client", name, cells);
    expect(Object.values(cells)).not.toContain("fails");
  },
  limitMs,
);
