import { afterAll, beforeAll, expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, callTool, signIn, startRun } from "../../support/oauth-bridge.ts";
import {
  type AuthorizationServer,
  type Changing,
  startProvider,
} from "../../support/oauth-provider.ts";
import { type ResourceOptions, startProtectedServer } from "../../support/oauth-resource.ts";
import { runProgram } from "../../support/program.ts";

let provider: AuthorizationServer;

beforeAll(async () => {
  provider = await startProvider();
});

afterAll(() => provider.close());

/** What `login` says to a server, and what it asked of the authorization server before. */
async function login(options: ResourceOptions, at = provider) {
  using folder = ownFolder();
  const server = startProtectedServer(at, options);
  const home = await bridgeHome(folder.path, { url: server.url });
  const before = at.requests.length;
  const { code, stdout, stderr } = await runProgram(["login", "-s", "kb", "--no-browser"], {
    env: home.env,
  });
  const paths = server.requests.map(({ path }) => path);
  await server.close();
  const asked = at.requests.slice(before).map(({ path }) => path);
  return { code, stdout, stderr, asked, paths };
}

/** A provider whose metadata are changed, for one test. */
async function withMetadata<T>(
  metadata: (document: Changing) => void,
  work: (changed: AuthorizationServer) => Promise<T>,
): Promise<T> {
  const changed = await startProvider({ metadata });
  try {
    return await work(changed);
  } finally {
    await changed.close();
  }
}

test("requirement 5: metadata of another issuer are refused before anything is asked of it", async () => {
  const foreign = (document: Changing) => {
    document.issuer = "https://other.example.com";
  };
  const said = await withMetadata(foreign, (changed) => login({}, changed));
  expect([said.code, said.stdout]).toEqual([1, ""]);
  expect(said.stderr).toContain("belong to another issuer: https://other.example.com");
  expect(said.asked.every((path) => path.includes("/.well-known/"))).toBe(true);
});

test("requirement 5: the slash after a bare origin is tolerated, and kept as the metadata write it", async () => {
  using folder = ownFolder();
  const slash = (document: Changing) => {
    document.issuer = `${document.issuer}/`;
    // It would be compared with the slash.
    delete document.authorization_response_iss_parameter_supported;
  };
  await withMetadata(slash, async (changed) => {
    const server = startProtectedServer(changed);
    const home = await bridgeHome(folder.path, { url: server.url });
    await expect(signIn(home)).rejects.toThrow("came from another authorization server");
    await server.close();
  });
});

test.each([
  "https://169.254.169.254/latest",
  "https://10.1.2.3",
  "https://192.168.1.1:8443",
  "https://[::ffff:10.0.0.1]",
  "https://[fd00::1]",
  "https://100.64.0.1",
  "https://0.0.0.0",
])(
  "requirement 7: a server that names the authorization server %s gets nothing sent there",
  async (issuer) => {
    const metadata = (document: Record<string, unknown>) => ({
      ...document,
      authorization_servers: [issuer],
    });
    const { code, stdout, stderr, asked } = await login({ metadata });
    expect([code, stdout, asked]).toEqual([1, "", []]);
    expect(stderr).toContain("is an address of a private network, named by a server outside it");
  },
);

test("requirement 7: http to another host than loopback is refused", async () => {
  const metadata = (document: Record<string, unknown>) => ({
    ...document,
    authorization_servers: ["http://auth.example.com"],
  });
  const { code, stderr } = await login({ metadata });
  expect(code).toBe(1);
  expect(stderr).toContain('"auth.example.com" is not reached by https');
});

test.each([
  [
    "a redirect",
    () => new Response(null, { status: 307, headers: { location: "/elsewhere" } }),
    "which is not followed",
  ],
  [
    "more than 1 MiB",
    () => new Response(new Uint8Array(2 * 1024 * 1024)),
    "sent more than 1 MiB in place of a small document",
  ],
])("requirements 7 and 19: %s in place of metadata ends the sign-in", async (_, answer, words) => {
  const { code, stderr, paths } = await login({
    intercept: (_request, { pathname }) =>
      pathname.startsWith("/.well-known/") ? answer() : undefined,
  });
  expect(code).toBe(1);
  expect(stderr).toContain(words);
  expect(paths).not.toContain("/elsewhere");
});

test.each([
  ["of a script", "javascript:alert(1)"],
  ["with a password", "https://user:password@auth.example.com/"],
  ["with shell characters", "https://auth.example.com/`id`"],
  ["with a control character", "https://auth.example.com/\u001b[2J"],
])("requirement 8: an authorization endpoint %s is not shown", async (_, endpoint) => {
  const change = (document: Changing) => {
    document.authorization_endpoint = endpoint;
  };
  const { code, stdout, stderr } = await withMetadata(change, (changed) => login({}, changed));
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toStartWith("error: ");
  expect(stderr).not.toContain(endpoint);
});

test("requirement 19: an MCP post follows a 307 on its own origin once, and takes no token elsewhere", async () => {
  using folder = ownFolder();
  let seen = "";
  const thief = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      seen += request.headers.get("authorization") ?? "none";
      return new Response();
    },
  });
  let target = "";
  const server = startProtectedServer(provider, {
    intercept: (request, { pathname }) =>
      pathname === "/mcp" && target !== "" && request.headers.has("authorization")
        ? new Response(null, { status: 307, headers: { location: target } })
        : undefined,
  });
  const home = await bridgeHome(folder.path, { url: server.url });
  await signIn(home);
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  target = thief.url.href;
  expect(await callTool(child)).toStartWith("1451 ");
  expect(seen).toBe("");
  await child.end();
  await server.close();
  await thief.stop(true);
});
