import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { type AuthorizationServer, startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { approveDevice, approveInBrowser } from "../support/oauth-user.ts";
import { runProgram } from "../support/program.ts";
import {
  type Client,
  initialize,
  type Program,
  programs,
  startClient,
} from "./support/programs.ts";

interface Case {
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly clients?: readonly Record<string, unknown>[];
  /** How the person signs in; default: through the page. "shown": the page is shown, and nobody opens it; "requested": until a token is requested. */
  readonly by?: "page" | "device" | "nobody" | "shown" | "requested";
  /** The parameters of the authorization request to compare. */
  readonly compared?: readonly string[];
}

const callback = "http://127.0.0.1:47123/cb";
const atPort = ["47123", "--host", "127.0.0.1", "--callback-path", "/cb"];

/** The address that a program shows to the person. */
const page = /https?:\/\/[^\s"]+[?&]code_challenge=[^\s"]+/;

/** Signs in when the program shows a page or a code. */
async function signIn({ running }: Client, by: Case["by"] = "page"): Promise<void> {
  if (by === "nobody") return;
  if (by === "page") {
    const [url] = await running.seen(page);
    await approveInBrowser(url);
    return;
  }
  const [address] = await running.seen(/https?:\/\/[^\s"]+\/device[^\s"]*/);
  const [code] = await running.seen(/\b[A-Z]{4}-[A-Z]{4}\b/);
  await approveDevice(address, code);
}

/** What the authorization server and the MCP server see of one run. */
async function run(program: Program, { args, env = {}, by, compared = [], clients = [] }: Case) {
  using folder = ownFolder();
  const isDevice = by === "device";
  const provider = await startProvider({
    clients,
    deviceIntervalSec: 1,
    // Without it the bridge shows the page also where no browser is.
    metadata: (document) => {
      if (!isDevice) document.device_authorization_endpoint = undefined;
    },
  });
  const server = startProtectedServer(provider);
  try {
    const words = args.map((word) => word.replace("ISSUER", provider.issuer));
    const client = startClient(program, [server.url, ...words], { home: folder.path, env });
    if (by === "shown") {
      const shown = initialize(client).catch(() => undefined);
      const [url] = await client.running.seen(page);
      client.running.kill();
      await shown;
      return {
        facts: { isCalled: true, authorization: picked(new URL(url).searchParams, compared) },
      };
    }
    if (by === "requested") {
      const answered = initialize(client).catch(() => undefined);
      while (provider.tokenRequests().length === 0) await Bun.sleep(20);
      client.running.kill();
      await answered;
      return { facts: { isCalled: true, token: { ...tokenFacts(provider), hasResource: true } } };
    }
    const started = initialize(client);
    await signIn(client, by);
    const { result } = await started;
    const called = await client.request("tools/call", { name: "echo", arguments: {} });
    await client.end();
    return {
      facts: {
        server: result.serverInfo.name,
        isCalled: called.result?.isError !== true && called.error === undefined,
        authorization: picked(
          provider.requests.findLast(({ path }) => path === "/auth")?.query,
          compared,
        ),
        token: tokenFacts(provider),
      },
    };
  } finally {
    await server.close();
    await provider.close();
  }
}

/** The compared parameters of an authorization request. */
function picked(query: URLSearchParams | undefined, names: readonly string[]): object {
  const comparable = (name: string) =>
    query?.get(name)?.replace(/(?<=:)\d+(?=\/mcp$)/, "PORT") ?? null;
  // The bridge asks for a refresh token where the server offers one.
  return Object.fromEntries(
    names.map((name) => [name, comparable(name)?.replace(" offline_access", "") ?? null]),
  );
}

/** The grant of the last successful kind of token request, and whether it names a resource and a client's secret. */
function tokenFacts(provider: AuthorizationServer): object {
  const { form, headers } = provider.tokenRequests().at(-1)!;
  return {
    grant: form.get("grant_type"),
    redirect: form.get("redirect_uri"),
    hasResource: form.has("resource"),
    hasSecret: form.has("client_secret") || headers["authorization"] !== undefined,
  };
}

const publicClient = {
  client_id: "known",
  token_endpoint_auth_method: "none",
  redirect_uris: [callback],
  application_type: "native",
  grant_types: [
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
  ],
};
const machine = {
  client_id: "machine",
  client_secret: "machine-secret",
  token_endpoint_auth_method: "client_secret_post",
  redirect_uris: [],
  response_types: [],
  grant_types: ["client_credentials"],
};
const known = ["--static-oauth-client-info", '{"client_id":"known"}'];
const machineInfo = [
  ...["--static-oauth-client-info", '{"client_id":"machine","client_secret":"${SECRET}"}'],
  ...[
    "--static-oauth-client-metadata",
    '{"scope":"mcp","token_endpoint_auth_method":"client_secret_post"}',
  ],
];
const secret = { SECRET: "machine-secret" };

const cases: Readonly<Record<string, Case>> = {
  "a client that is registered for the port": {
    args: atPort,
    compared: ["redirect_uri", "resource", "code_challenge_method"],
  },
  "--static-oauth-client-info": {
    args: [...atPort, ...known],
    clients: [publicClient],
    compared: ["client_id", "redirect_uri", "resource"],
  },
  "--static-oauth-client-metadata": {
    args: [
      ...atPort,
      "--static-oauth-client-metadata",
      '{"scope":"mcp mcp:write","client_name":"x"}',
    ],
    by: "shown",
    compared: ["scope"],
  },
  "--disable-resource-parameter": {
    args: [...atPort, ...known, "--disable-resource-parameter"],
    clients: [publicClient],
    by: "shown",
    compared: ["resource"],
  },
  "--authorize-param": {
    args: [...atPort, "--authorize-param", "ui_locales=de", "--authorize-param", "display=page"],
    compared: ["ui_locales", "display"],
  },
  "--device-code": { args: [...known, "--device-code"], clients: [publicClient], by: "device" },
  "--client-credentials": {
    args: [...machineInfo, "--client-credentials"],
    clients: [machine],
    env: secret,
    by: "nobody",
  },
  "--token-endpoint": {
    args: [...machineInfo, "--client-credentials", "--token-endpoint", "ISSUER/token"],
    clients: [machine],
    env: secret,
    by: "requested",
  },
};

describe("beside mcp-remote 0.15.1, the servers see the same sign-in", () => {
  test.each(Object.entries(cases))("%s", async (_, given) => {
    const results = [];
    for (const program of programs) results.push((await run(program, given)).facts);
    const [theirs, ours] = results;
    expect(ours).toEqual(theirs!);
    expect(ours!.isCalled).toBe(true);
  });
});

describe("a sign-in that mcp-remote has stored", () => {
  test("is used while its access token is good; its refresh token is not", async () => {
    using folder = ownFolder();
    const provider = await startProvider({
      metadata: (document) => {
        document.device_authorization_endpoint = undefined;
      },
    });
    const server = startProtectedServer(provider);
    const [theirs, ours] = programs;
    const start = (program: Program) => startClient(program, [server.url], { home: folder.path });
    try {
      const first = start(theirs!);
      const started = initialize(first);
      await signIn(first);
      await started;
      await first.end();
      const second = start(ours!);
      await initialize(second);
      const { result } = await second.request("tools/call", { name: "echo", arguments: {} });
      await second.end();
      expect(result.isError).not.toBe(true);
      const sent = server.requests.flatMap(({ authorization }) => authorization ?? []);
      expect(new Set(sent).size).toBe(1);
      await provider.revoke(sent[0]!.slice("Bearer ".length));
      const third = start(ours!);
      await initialize(third);
      // The first two requests are answered from the catalog.
      const call = third.request("tools/call", { name: "echo", arguments: {} });
      const waiting = call.catch(() => undefined);
      await third.running.seen(page);
      third.running.kill();
      await waiting;
      expect(provider.tokenRequests("refresh_token")).toEqual([]);
    } finally {
      await server.close();
      await provider.close();
    }
  });

  test("is taken over by import, and renewed at its own authorization server", async () => {
    using folder = ownFolder();
    const provider = await startProvider({
      metadata: (document) => {
        document.device_authorization_endpoint = undefined;
      },
    });
    const server = startProtectedServer(provider);
    const [theirs, ours] = programs;
    const env = { HOME: folder.path, MCP_REMOTE_CONFIG_DIR: `${folder.path}/auth` };
    try {
      const first = startClient(theirs!, [server.url], { home: folder.path });
      const started = initialize(first);
      await signIn(first);
      await started;
      await first.end();
      const file = join(folder.path, "mcp.json");
      const kb = { command: "npx", args: ["-y", "mcp-remote", server.url] };
      writeFileSync(file, JSON.stringify({ mcpServers: { kb } }));
      const { code, stderr } = await runProgram(["import", file, "--all"], { env });
      expect([code, stderr]).toEqual([0, expect.stringContaining("comes from mcp-remote")]);
      const second = startClient(ours!, ["run", "--server", "kb"], { home: folder.path });
      await initialize(second);
      const call = () => second.request("tools/call", { name: "echo", arguments: {} });
      expect((await call()).result.isError).not.toBe(true);
      const [token] = server.requests.flatMap(({ authorization }) => authorization ?? []);
      await provider.revoke(token!.slice("Bearer ".length));
      expect((await call()).result.isError).not.toBe(true);
      await second.end();
      expect(provider.tokenRequests("refresh_token")).toHaveLength(1);
    } finally {
      await server.close();
      await provider.close();
    }
  });
});
