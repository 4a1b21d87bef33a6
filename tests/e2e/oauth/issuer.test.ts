import { expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { codexCapabilities, handshake, startClient } from "../../support/oauth-client.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approveDevice } from "../../support/oauth-user.ts";
import { runProgram } from "../../support/program.ts";
import { Session } from "../../support/terminal.ts";

const secret = "a-configured-secret";
const machine = {
  client_id: "machine",
  client_secret: secret,
  token_endpoint_auth_method: "client_secret_basic",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope: "mcp",
};
const assertion = "head.the-assertion.sign";
const jwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";

interface World {
  /** The authorization server of day one. */
  readonly first: AuthorizationServer;
  /** The one that the server's metadata name later. */
  readonly second: AuthorizationServer;
  readonly server: ProtectedServer;
  readonly home: BridgeHome;
  /** Issuers that the metadata list from now on. */
  list(...issuers: string[]): void;
  /** The answer to every request for resource metadata from now on; undefined: the metadata. */
  answer(make: (() => Response) | undefined): void;
}

/** Two authorization servers, and a server whose metadata can change. */
async function withWorld(auth: object, work: (world: World) => Promise<void>): Promise<void> {
  using folder = ownFolder();
  const options = {
    clients: [machine],
    deviceIntervalSec: 0.05,
    intercept: (
      { form }: { form: URLSearchParams },
      response: import("node:http").ServerResponse,
    ) => {
      if (form.get("grant_type") !== jwtGrant) return false;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ access_token: "from-an-assertion", token_type: "Bearer" }));
      return true;
    },
  };
  const first = await startProvider(options);
  const second = await startProvider(options);
  let issuers = [first.issuer];
  let answer: (() => Response) | undefined;
  const both = {
    ...first,
    find: async (token: string) => (await first.find(token)) ?? (await second.find(token)),
  };
  const server = startProtectedServer(both, {
    metadata: (document) => ({ ...document, authorization_servers: issuers }),
    intercept: (_, { pathname }) =>
      pathname.includes("oauth-protected-resource") ? answer?.() : undefined,
  });
  const home = await bridgeHome(folder.path, { url: server.url, auth });
  Object.assign(home.env, { KB_SECRET: secret, KB_ASSERTION: assertion });
  try {
    const list = (...names: string[]) => {
      issuers = names;
    };
    const say = (make: typeof answer) => {
      answer = make;
    };
    await work({ first, second, server, home, list, answer: say });
  } finally {
    await server.close();
    await first.close();
    await second.close();
  }
}

const credentials = {
  type: "oauth",
  grant: "client_credentials",
  clientId: "machine",
  clientSecretEnv: "KB_SECRET",
};
const workload = {
  type: "oauth",
  grant: "jwt_bearer",
  clientId: "workload",
  assertionEnv: "KB_ASSERTION",
};

/** Whatever was sent to an authorization server beside requests for its metadata. */
const sentTo = ({ requests }: AuthorizationServer) =>
  requests
    .filter(({ path }) => !path.includes("/.well-known/"))
    .map(({ path, body, headers: { authorization = "" } }) => `${path} ${body} ${authorization}`);

/** Ends the token that is stored, so that the next start asks for another one. */
async function endToken(home: BridgeHome): Promise<void> {
  const stored = await home.stored();
  await home.store({ ...stored, grant: { ...stored.grant, obtainedAt: 0, expiresAt: 1 } });
}

async function callOnce(home: BridgeHome): Promise<string> {
  const child = await startRun(home);
  const result = await callTool(child);
  await child.end();
  return result;
}

test("a configured secret goes to the authorization server of the first sign-in, and to no other that the metadata name later", async () => {
  await withWorld(credentials, async ({ first, second, home, list }) => {
    expect(await callOnce(home)).toBe("done");
    list(second.issuer);
    await endToken(home);
    expect(await callOnce(home)).toBe(
      `1451 server "kb" names another authorization server than before: ${second.issuer} in place of ${first.issuer}: ` +
        'if that is right, run codex-mcp-http-bridge login --server kb on a terminal, or set "auth.issuer"',
    );
    expect(sentTo(second)).toEqual([]);
    // Both are listed: the pinned one is used.
    list(second.issuer, first.issuer);
    expect(await callOnce(home)).toBe("done");
    expect(sentTo(second)).toEqual([]);
  });
});

test("an assertion is not sent to another authorization server", async () => {
  await withWorld(workload, async ({ first, second, home, list }) => {
    const { code } = await runProgram(["login", "-s", "kb"], { env: home.env });
    expect(code).toBe(0);
    expect(sentTo(first).join()).toContain(assertion);
    list(second.issuer);
    await endToken(home);
    expect(await callOnce(home)).toStartWith("1451 ");
    const login = await runProgram(["login", "-s", "kb"], { env: home.env });
    expect(login.code).toBe(1);
    expect(sentTo(second)).toEqual([]);
  });
});

test("logout forgets the token and keeps the pin, and status shows it", async () => {
  await withWorld(credentials, async ({ first, second, home, list }) => {
    expect(await callOnce(home)).toBe("done");
    list(second.issuer);
    expect((await runProgram(["logout", "-s", "kb"], { env: home.env })).code).toBe(0);
    expect(JSON.stringify(await home.stored())).not.toContain("accessToken");
    expect(await callOnce(home)).toStartWith("1451 ");
    expect(sentTo(second)).toEqual([]);
    const { stdout } = await runProgram(["status"], { env: home.env });
    expect(stdout).toContain(`at ${first.issuer}`);
  });
});

test("login asks a person, names both authorization servers, and the answer decides", async () => {
  await withWorld(credentials, async ({ first, second, home, list }) => {
    expect(await callOnce(home)).toBe("done");
    list(second.issuer);
    for (const [word, code] of [
      ["n", 1],
      ["y", 0],
    ] as const) {
      await using session = new Session(["login", "-s", "kb"], home.env);
      await session.sees(
        `Server "kb" names another authorization server now: ${second.issuer} in place of ${first.issuer}.`,
      );
      await session.answers("Sign in there? [y/N]", word);
      expect(await session.ended).toBe(code);
      expect(sentTo(second).length > 0).toBe(word === "y");
    }
    expect((await home.stored()).pinned.issuer).toBe(second.issuer);
  });
});

test("a new authorization server gets a new registered client, and nothing of the old one", async () => {
  await withWorld({ type: "oauth" }, async ({ second, home, list }) => {
    await signIn(home);
    const { grant } = await home.stored();
    list(second.issuer);
    await signIn(home);
    const now = (await home.stored()).grant;
    expect(now.issuer).toBe(second.issuer);
    expect(now.client.id).not.toBe(grant.client.id);
    const all = sentTo(second).join("\n");
    for (const text of [grant.client.id, grant.refreshToken, grant.accessToken])
      expect(all).not.toContain(text);
  });
});

test("the prompt in a call names both authorization servers", async () => {
  await withWorld({ type: "oauth" }, async ({ first, second, home, list }) => {
    await signIn(home);
    list(second.issuer);
    const { grant: _, ...rest } = await home.stored();
    await home.store(rest);
    const client = startClient(home, {
      async answer({ params }) {
        const code = /the code ([A-Z0-9-]+)/.exec(params.message)?.[1];
        await approveDevice(params.url, code!);
        return { action: "accept" };
      },
    });
    await handshake(client, codexCapabilities);
    const { error } = await client.request("tools/call", { name: "echo", arguments: {} });
    expect(error).toBeUndefined();
    const message: string = client.asked[0].params.message;
    expect(message).toContain(new URL(first.issuer).host);
    expect(message).toContain(new URL(second.issuer).host);
    await client.end();
  });
}, 30_000);

const odd: [string, () => Response, number][] = [
  ["503", () => new Response("", { status: 503 }), 3],
  ["429", () => new Response("", { status: 429 }), 3],
  ["a page", () => new Response("<html>"), 3],
  ["400", () => new Response("", { status: 400 }), 1],
];

test.each(odd)(
  "metadata answered by %s do not make the MCP server its own authorization server",
  async (_, make, attempts) => {
    await withWorld(credentials, async ({ server, home, answer, first }) => {
      answer(make);
      const { code } = await runProgram(["login", "-s", "kb"], { env: home.env });
      expect(code).not.toBe(0);
      const posted = server.requests.filter(({ path }) => path !== "/mcp");
      // The place under the path, and the root: each as often as its answer may change.
      expect(posted.map(({ path }) => path)).toEqual([
        ...Array<string>(attempts).fill("/.well-known/oauth-protected-resource/mcp"),
        ...Array<string>(attempts).fill("/.well-known/oauth-protected-resource"),
      ]);
      expect(posted.every(({ authorization }) => authorization === null)).toBe(true);
      expect(sentTo(first)).toEqual([]);
    });
  },
  20_000,
);

test("metadata of the second attempt are used", async () => {
  await withWorld(credentials, async ({ home, answer }) => {
    answer(() => {
      answer(undefined);
      return new Response("", { status: 503 });
    });
    expect(await callOnce(home)).toBe("done");
  });
});

test("the second of two authorization servers is used where the first one is dead; a secret does not go to it", async () => {
  const dead = "http://127.0.0.1:1";
  await withWorld({ type: "oauth" }, async ({ first, home, list }) => {
    list(dead, first.issuer);
    await signIn(home);
    expect((await home.stored()).grant.issuer).toBe(first.issuer);
  });
  await withWorld(credentials, async ({ first, home, list }) => {
    list(dead, first.issuer);
    const { code } = await runProgram(["login", "-s", "kb"], { env: home.env });
    expect(code).toBe(5);
    expect(sentTo(first)).toEqual([]);
  });
}, 20_000);

test("an authorization address is not shown where the scopes make it longer than 2 KB", async () => {
  await withWorld({ type: "oauth" }, async ({ home, first, server, answer }) => {
    const scopes_supported = Array.from({ length: 400 }, (_, number) => `scope-${number}`);
    const authorization_servers = [first.issuer];
    answer(() => Response.json({ resource: server.url, authorization_servers, scopes_supported }));
    const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
    login.endInput();
    const { code, stdout, stderr } = await login.ended;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("has an address of more than 2 KB");
  });
});
