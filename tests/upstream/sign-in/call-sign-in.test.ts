import { afterAll, beforeAll, expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import { type BridgeHome, bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import {
  type ClientOptions,
  codexCapabilities,
  handshake,
  startClient,
} from "../../support/oauth-client.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { startProtectedServer } from "../../support/oauth-resource.ts";
import { approveDevice, approveInBrowser } from "../../support/oauth-user.ts";

let provider: AuthorizationServer;
/** Another authorization server, without a device endpoint. */
let other: AuthorizationServer;

beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSec: 0.05 });
  other = await startProvider({
    clients: [
      {
        client_id: "no-refresh",
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: ["authorization_code"],
      },
    ],
    metadata(document) {
      delete document.device_authorization_endpoint;
    },
  });
});

afterAll(async () => {
  await provider.close();
  await other.close();
});

const call = (name: string) => ({ name, arguments: {} });

type Question = { params: { url: string; message: string } };

/** Does what the prompt asks for, and accepts. */
async function approve({ params }: Question): Promise<object> {
  const code = /the code ([A-Z0-9-]+)/.exec(params.message)?.[1];
  if (code === undefined) await approveInBrowser(params.url);
  else await approveDevice(params.url, code);
  return { action: "accept" };
}

async function begin(home: BridgeHome, options: ClientOptions = {}) {
  const client = startClient(home, options);
  await handshake(client, codexCapabilities);
  return client;
}

test("one call asks for a sign-in, then for one with more permissions, then at a new authorization server, and succeeds", async () => {
  using folder = ownFolder();
  let issuer = provider;
  const resource = startProtectedServer(
    { ...provider, find: (token) => issuer.find(token) },
    {
      toolScopes: { write: "mcp:write" },
      metadata: (document) => ({ ...document, authorization_servers: [issuer.issuer] }),
    },
  );
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home, {
    async answer(question) {
      const answer = await approve(question);
      // Once the wider scope is granted, the server moves to another authorization server.
      if (client.asked.length === 2) issuer = other;
      return answer;
    },
  });
  const { result } = await client.request("tools/call", call("write"));
  expect(result.content[0].text).toBe("done: write");
  const pages = client.asked.map(({ params }: Question) => new URL(params.url).origin);
  expect(pages).toEqual([provider.issuer, provider.issuer, other.issuer]);
  expect(client.asked[2].params.message).toContain(new URL(other.issuer).host);
  await client.end();
  await resource.close();
}, 20_000);

test.each([
  ["with a refresh token", {}],
  ["without one", { auth: { type: "oauth", clientId: "no-refresh" } }],
])(
  "a server that refuses the grant that it asked for, %s, gets no second sign-in",
  async (_, entry) => {
    using folder = ownFolder();
    const resource = startProtectedServer({ ...other, find: async () => undefined });
    const home = await bridgeHome(folder.path, { url: resource.url, ...entry });
    const client = await begin(home, { answer: approve });
    const { error } = await client.request("tools/call", call("echo"));
    expect([1401, 1402]).toContain(error.code);
    expect(client.asked).toHaveLength(1);
    await client.end();
    await resource.close();
  },
  20_000,
);

test("the cause of a failed sign-in stands in the error's words and data, on the page, and in sign_in's answer", async () => {
  using folder = ownFolder();
  const resource = startProtectedServer(other);
  const home = await bridgeHome(folder.path, { url: resource.url });
  const page = Promise.withResolvers<string>();
  const client = await begin(home, {
    async answer({ params }) {
      const asked = new URL(params.url).searchParams;
      const answer = new URL(asked.get("redirect_uri")!);
      answer.search = new URLSearchParams({
        error: "access_denied",
        error_description: "not on the list",
        state: asked.get("state")!,
        iss: other.issuer,
      }).toString();
      page.resolve(await (await fetch(answer)).text());
      return { action: "accept" };
    },
  });
  await client.request("tools/list");
  const { error } = await client.request("tools/call", call("echo"));
  const cause = 'the sign-in to server "kb" failed: access_denied (not on the list)';
  expect(error.message).toContain(cause);
  expect(await page.promise).toContain("access_denied (not on the list)");
  const { result } = await client.request("tools/call", call("sign_in"));
  expect(result.content[0].text).toContain(`The sign-in before this one failed: ${cause}`);
  await client.end();
  await resource.close();
}, 20_000);

test("where no sign-in can be started, sign_in says why", async () => {
  using folder = ownFolder();
  const closed = await startProvider({ registration: false });
  const resource = startProtectedServer(closed);
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home);
  await client.request("tools/list");
  const { result } = await client.request("tools/call", call("sign_in"));
  expect(result.isError).toBe(true);
  expect(result.content[0].text).toMatch(/No sign-in could be started \(no client id for server/);
  await client.end();
  await resource.close();
  await closed.close();
}, 20_000);

test("a device grant that this client may not use falls back to the page that comes back to this machine", async () => {
  using folder = ownFolder();
  const refusing = await startProvider({
    intercept({ path }, response) {
      if (path !== "/device/auth") return false;
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: "unauthorized_client" }));
      return true;
    },
  });
  const resource = startProtectedServer(refusing);
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home, { answer: approve, env: { LOG_LEVEL: "warn" } });
  const { result } = await client.request("tools/call", call("echo"));
  expect(result.content[0].text).toBe("done: echo");
  expect(new URL(client.asked[0].params.url).pathname).toBe("/auth");
  expect(client.stderr()).toContain("unauthorized_client");
  await client.end();
  await resource.close();
  await refusing.close();
}, 20_000);

test("a device grant that is refused while the user is asked asks again with the page that comes back to this machine", async () => {
  using folder = ownFolder();
  let polls = 0;
  const refusing = await startProvider({
    deviceIntervalSec: 0.05,
    intercept({ form }, response) {
      if (!form.get("grant_type")?.endsWith("device_code")) return false;
      response.writeHead(400, { "content-type": "application/json" });
      response.end(
        JSON.stringify({ error: ++polls === 1 ? "authorization_pending" : "invalid_grant" }),
      );
      return true;
    },
  });
  const resource = startProtectedServer(refusing);
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home, { answer: approve, env: { LOG_LEVEL: "warn" } });
  const { result } = await client.request("tools/call", call("echo"));
  expect(result.content[0].text).toBe("done: echo");
  const pages = client.asked.map(({ params }: Question) => new URL(params.url).pathname);
  expect(pages).toEqual(["/device", "/auth"]);
  expect(client.stderr()).toContain("invalid_grant");
  await client.end();
  await resource.close();
  await refusing.close();
}, 20_000);

/** A server that takes no sign-in; `header` is the challenge of its 401. */
function tokenServer(header?: string, others = 404) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) =>
      new URL(request.url).pathname === "/mcp"
        ? Response.json(
            { error: "no key" },
            { status: 401, headers: header === undefined ? {} : { "www-authenticate": header } },
          )
        : new Response("<html>nothing here</html>", { status: others }),
  });
}

test.each([
  ["Basic", 'Basic realm="x"', 404, /it asks for Basic/],
  ["Negotiate and NTLM", "Negotiate, NTLM", 404, /it asks for Negotiate or NTLM/],
  ["a bearer token without any metadata", "Bearer", 404, /offers no sign-in$/],
  ["nothing in particular", undefined, 404, /offers no sign-in$/],
  ["nothing, and sends a page for every other path", undefined, 200, /offers no sign-in$/],
])(
  "a server that asks for %s needs a token: it is told so, and no sign_in is offered",
  async (_, header, others, why) => {
    using folder = ownFolder();
    await using server = tokenServer(header, others);
    const home = await bridgeHome(folder.path, { url: `http://127.0.0.1:${server.port}/mcp` });
    const client = startClient(home);
    const hello = await handshake(client, codexCapabilities);
    expect(hello.error.code).toBe(1402);
    const [message, command] = hello.error.message.split(": run ");
    expect(message).toMatch(/needs a token/);
    expect(message).toMatch(why);
    expect(command).toBe("codex-mcp-http-bridge setup --server kb");
    const list = await client.request("tools/list");
    expect(JSON.stringify(list)).not.toContain("sign_in");
    expect(client.asked).toEqual([]);
    await client.end();
  },
  20_000,
);

test("login says of such a server that it needs a token", async () => {
  using folder = ownFolder();
  await using server = tokenServer("Basic");
  const home = await bridgeHome(folder.path, { url: `http://127.0.0.1:${server.port}/mcp` });
  const failed = await signIn(home).catch((error) => error);
  expect(failed.message).toContain("needs a token");
  expect(failed.message).toContain("setup --server kb");
}, 20_000);
