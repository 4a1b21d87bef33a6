import { afterAll, beforeAll, expect, test } from "bun:test";
import { TokenRefresher } from "../../../src/oauth/authorizer/refresh.ts";
import { isExpired, joinScopes } from "../../../src/oauth/core/grant.ts";
import { ownFolder } from "../../support/folder.ts";
import {
  bridgeHome,
  callTool,
  failedInitialize,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { codexCapabilities, handshake, startClient } from "../../support/oauth-client.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approveDevice } from "../../support/oauth-user.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;
/** What the token endpoint answers to a refresh, in place of the provider; undefined: the provider itself. */
let answers: (Response | "reset")[] = [];

beforeAll(async () => {
  provider = await startProvider({
    deviceIntervalSec: 0.05,
    async intercept({ form }, response) {
      const answer = form.get("grant_type") === "refresh_token" ? answers.shift() : undefined;
      if (answer === undefined) return false;
      if (answer === "reset") response.destroy();
      else {
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        response.end(await answer.text());
      }
      return true;
    },
  });
  resource = startProtectedServer(provider, { toolScopes: { write: "mcp mcp:write" } });
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

/** A signed-in home whose token has ended, and its keeper in this process. */
async function expired(folder: string) {
  const home = await bridgeHome(folder, { url: resource.url });
  await signIn(home);
  const stored = await home.stored();
  const grant = { ...stored.grant, obtainedAt: 0, expiresAt: 1 };
  await home.store({ ...stored, grant });
  const oauth = oauthInside(folder, { url: resource.url });
  const refresher = new TokenRefresher(oauth.context, oauth.store, { pausesMs: [1, 1] });
  const renew = () => refresher.refresh({ sent: grant.accessToken });
  return { home, oauth, refresher, renew, grant };
}

const json = (body: object, status = 200) => Response.json(body, { status });

test.each([
  [3600, 3600 - 61, false],
  [3600, 3600 - 59, true],
  [60, 53, false],
  [60, 55, true],
  [undefined, 1e9, false],
])("requirement 20: a token of %p s is used up after %p s: %p", (life, age, expected) => {
  const base = { obtainedAt: 0, ...(life !== undefined && { expiresAt: life * 1000 }) };
  expect(isExpired(base as Parameters<typeof isExpired>[0], age * 1000)).toBe(expected);
});

test.each([
  ["missing", undefined, undefined],
  ["a string", "120", 120_000],
  ["nonsense", "soon", undefined],
  ["negative", -5, undefined],
  ["zero", 0, undefined],
  ["beyond all time", 1e13, 3_162_240_000_000],
])("requirement 20: expires_in that is %s is understood", async (_, expires_in, life) => {
  using folder = ownFolder();
  const { renew, grant } = await expired(folder.path);
  answers = [json({ access_token: "fresh-token-1", token_type: "bearer", expires_in })];
  const renewed = (await renew())!;
  expect(renewed.expiresAt === undefined ? undefined : renewed.expiresAt - renewed.obtainedAt).toBe(
    life,
  );
  // None came back: the old one stays good.
  expect(renewed.refreshToken).toBe(grant.refreshToken!);
});

test.each([
  ["of type mac", { access_token: "a-token-12345", token_type: "mac" }],
  ["with a line end", { access_token: "a-token\r\nX-Evil: 1", token_type: "Bearer" }],
  ["with a space", { access_token: "a token 12345", token_type: "Bearer" }],
  ["that is no text", { access_token: 42, token_type: "Bearer" }],
  [
    "whose refresh token has an escape",
    { access_token: "a-token-12345", token_type: "Bearer", refresh_token: "\u001b[2J" },
  ],
])("requirement 18: a token %s is refused and the stored grant stays", async (_, body) => {
  using folder = ownFolder();
  const { renew, home, grant } = await expired(folder.path);
  answers = [json(body)];
  expect(await renew().catch((error) => error.kind)).toBe("bad-answer");
  expect((await home.stored()).grant.refreshToken).toBe(grant.refreshToken);
});

test.each<[string, () => Response]>([
  ["without a type", () => json({ access_token: "odd-token-12345" })],
  ["of Slack's type user", () => json({ access_token: "odd-token-12345", token_type: "user" })],
  [
    "nested under authed_user",
    () => json({ ok: true, authed_user: { access_token: "odd-token-12345", token_type: "user" } }),
  ],
  [
    "wrapped in data",
    () => json({ code: 0, data: { access_token: "odd-token-12345", token_type: "bearer" } }),
  ],
  [
    "in a form",
    () => new Response("access_token=odd-token-12345&token_type=bearer&scope=mcp&expires_in=60"),
  ],
])("a token %s is a bearer token", async (_, answer) => {
  using folder = ownFolder();
  const { renew } = await expired(folder.path);
  answers = [answer()];
  expect(await renew()).toMatchObject({ accessToken: "odd-token-12345", tokenType: "Bearer" });
});

test("a form-encoded error response is read as a refusal", async () => {
  using folder = ownFolder();
  const { renew } = await expired(folder.path);
  answers = [new Response("error=invalid_grant&error_description=over", { status: 400 })];
  expect(await renew()).toBeUndefined();
});

test.each([
  ["503", () => new Response("", { status: 503 }), "server-error"],
  ["429", () => new Response("", { status: 429 }), "rate-limited"],
  ["a reset", () => "reset" as const, "outcome-unknown"],
])(
  "requirement 23: after %s the renewal is repeated; where it keeps failing the refresh token is kept",
  async (_, fault, kind) => {
    using folder = ownFolder();
    const { renew, home, grant } = await expired(folder.path);
    answers = [fault(), fault(), fault()];
    expect(await renew().catch((error) => error.kind)).toBe(kind);
    expect((await home.stored()).grant.refreshToken).toBe(grant.refreshToken);
    answers = [fault()];
    const renewed = await renew();
    expect(renewed?.accessToken).toBeString();
    expect(renewed?.accessToken).not.toBe(grant.accessToken);
  },
);

test("requirement 19: a redirect of the token endpoint is not followed and the refresh token goes nowhere else", async () => {
  using folder = ownFolder();
  const { renew, home, grant } = await expired(folder.path);
  const seen: string[] = [];
  const thief = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      seen.push(await request.text());
      return new Response();
    },
  });
  answers = [new Response("", { status: 307, headers: { location: thief.url.href } })];
  expect(await renew().catch((error) => error.kind)).toBe("refused");
  expect(seen).toEqual([]);
  expect((await home.stored()).grant.refreshToken).toBe(grant.refreshToken);
  await thief.stop(true);
});

test("requirements 11 and 23: invalid_grant drops the tokens and keeps the client; invalid_client drops tokens and client, so that the next sign-in registers a new client", async () => {
  using folder = ownFolder();
  const { renew, home } = await expired(folder.path);
  answers = [json({ error: "invalid_grant" }, 400)];
  expect(await renew()).toBeUndefined();
  const after = await home.stored();
  expect(after.grant).toBeUndefined();
  expect(Object.keys(after.clients)).toEqual([provider.issuer]);
  using second = ownFolder();
  const other = await expired(second.path);
  answers = [json({ error: "invalid_client" }, 401)];
  expect(await other.renew()).toBeUndefined();
  expect((await other.home.stored()).clients).toEqual({});
  const before = provider.requests.filter(({ path }) => path === "/reg").length;
  await signIn(other.home);
  expect(provider.requests.filter(({ path }) => path === "/reg").length - before).toBe(1);
});

test("an error that is an object is read as a refusal, with its code and its words", async () => {
  using folder = ownFolder();
  const { renew, home } = await expired(folder.path);
  answers = [json({ error: { code: "invalid_grant", message: "it was used" } }, 400)];
  expect(await renew()).toBeUndefined();
  expect((await home.stored()).grant).toBeUndefined();
});

test("an error response with status 200 is read as a refusal", async () => {
  using folder = ownFolder();
  const { renew } = await expired(folder.path);
  answers = [json({ error: "invalid_grant" })];
  expect(await renew()).toBeUndefined();
});

test("requirement 24: a server that refuses every token ends in an error after one renewal, not in another sign-in", async () => {
  using folder = ownFolder();
  const deaf = startProtectedServer(provider, {
    intercept: (request, url) =>
      url.pathname === "/mcp" && request.headers.has("authorization")
        ? new Response("{}", { status: 401, headers: { "www-authenticate": "Bearer" } })
        : undefined,
  });
  const home = await bridgeHome(folder.path, { url: deaf.url });
  await signIn(home);
  const before = provider.tokenRequests("refresh_token").length;
  expect(await failedInitialize(home)).toContain("refuses even a new token");
  expect(provider.tokenRequests("refresh_token").length - before).toBeLessThanOrEqual(2);
  await deaf.close();
});

test("requirement 25: the next sign-in requests the granted scopes and the scope that a call lacked; the old token stays valid", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  const child = await startRun(home);
  const before = (await home.stored()).grant.accessToken;
  expect(await callTool(child, "write")).toBe(
    '1401 server "kb" needs a sign-in with more permissions: run codex-mcp-http-bridge login --server kb',
  );
  expect(await callTool(child)).toBe("done");
  const stored = await home.stored();
  expect(stored.grant.accessToken).toBe(before);
  expect(stored.wantedScope.split(" ").sort()).toEqual(["mcp", "mcp:write"]);
  await signIn(home);
  expect((await home.stored()).grant.scope.split(" ")).toContain("mcp:write");
  expect(await callTool(child, "write")).toBe("done");
  expect(await callTool(child)).toBe("done");
  await child.end();
});

test("requirement 25: a 401 that names a missing scope leads to a sign-in with more scopes, as a 403 does", async () => {
  using folder = ownFolder();
  let isStrict = false;
  const lax = startProtectedServer(provider, {
    intercept: (_, url) =>
      url.pathname === "/mcp" && isStrict
        ? new Response("{}", {
            status: 401,
            headers: { "www-authenticate": 'Bearer error="insufficient_scope", scope="mcp:write"' },
          })
        : undefined,
  });
  const home = await bridgeHome(folder.path, { url: lax.url });
  await signIn(home);
  const child = await startRun(home);
  isStrict = true;
  expect(await callTool(child)).toContain("a sign-in with more permissions");
  expect((await home.stored()).wantedScope.split(" ").sort()).toEqual(["mcp", "mcp:write"]);
  await child.end();
  await lax.close();
});

test("a 401 that names a scope which the sign-in covers leads to a new token", async () => {
  using folder = ownFolder();
  const { oauth, grant } = await expired(folder.path);
  const refusal = {
    status: 401,
    wwwAuthenticate: `Bearer error="insufficient_scope", scope="${grant.scope}"`,
    body: "",
    sent: { Authorization: `Bearer ${grant.accessToken}` },
  };
  expect(await oauth.authorizer.refused(refusal, AbortSignal.timeout(5000))).toBe(true);
  const { grant: renewed, wantedScope } = await oauth.store.read();
  expect(renewed?.accessToken).not.toBe(grant.accessToken);
  expect(wantedScope).toBeUndefined();
});

test("requirement 24: a server that demands a granted scope ends in an error, not in another sign-in", async () => {
  using folder = ownFolder();
  const never = startProtectedServer(provider, {
    intercept: (request, url) =>
      url.pathname === "/mcp" && request.headers.has("authorization")
        ? new Response("{}", {
            status: 403,
            headers: { "www-authenticate": 'Bearer error="insufficient_scope", scope="mcp"' },
          })
        : undefined,
  });
  const home = await bridgeHome(folder.path, { url: never.url });
  await signIn(home);
  expect(await failedInitialize(home)).toStartWith("1403 Access forbidden");
  await never.close();
});

test("requirement 24: a scope that the authorization server never grants is asked for once, then every call is forbidden", async () => {
  using folder = ownFolder();
  const greedy = startProtectedServer(provider, { toolScopes: { write: "mcp admin" } });
  const home = await bridgeHome(folder.path, { url: greedy.url });
  await signIn(home);
  const client = startClient(home, {
    async answer({ params }) {
      const code = /the code ([A-Z0-9-]+)/.exec(params.message)?.[1];
      await approveDevice(params.url, code!);
      return { action: "accept" };
    },
  });
  await handshake(client, codexCapabilities);
  for (let round = 0; round < 3; round++) {
    const { error } = await client.request("tools/call", { name: "write", arguments: {} });
    expect(error.code).toBe(1403);
    expect(error.message).toEndWith(
      ": the authorization server does not grant the scope that the server asks for: ask its operator",
    );
  }
  expect(client.asked).toHaveLength(1);
  const asked = provider.requests.findLast(({ path }) => path === "/device/auth");
  expect(asked?.form.get("scope")?.split(" ")).toContain("admin");
  expect((await client.request("tools/call", { name: "echo", arguments: {} })).error).toBe(
    undefined,
  );
  await client.end();
  await greedy.close();
}, 30_000);

test("a scope that made the authorization server refuse the sign-in is not requested again", async () => {
  using folder = ownFolder();
  const greedy = startProtectedServer(provider, { toolScopes: { write: "mcp admin" } });
  const home = await bridgeHome(folder.path, { url: greedy.url });
  await signIn(home);
  const child = await startRun(home);
  expect(await callTool(child, "write")).toStartWith("1401 ");
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  const url = new URL((await login.seen(/http:\/\/127\S+\/auth\?\S+/))[0]);
  expect(url.searchParams.get("scope")).toContain("admin");
  const refuse = (page: URL) => {
    const back = new URL(page.searchParams.get("redirect_uri")!);
    const state = page.searchParams.get("state")!;
    const refused = { error: "invalid_scope", state, iss: provider.issuer };
    back.search = new URLSearchParams(refused).toString();
    return fetch(back, { redirect: "manual" });
  };
  // A client whose registration names no scope is refused, too.
  const again = await refuse(url);
  const next = new URL(again.headers.get("location")!);
  expect(next.searchParams.get("client_id")).not.toBe(url.searchParams.get("client_id"));
  await (await refuse(next)).text();
  expect((await login.ended).code).toBe(4);
  expect(await callTool(child, "write")).toStartWith("1403 ");
  await signIn(home);
  await child.end();
  await greedy.close();
}, 30_000);

test("scopes are joined in their order and without duplicates", () => {
  expect(joinScopes("a b", "b c")).toBe("a b c");
  expect(joinScopes(undefined, "b")).toBe("b");
  expect(joinScopes(undefined, undefined)).toBeUndefined();
});

test.each([
  ["is renewed at the authorization server that the server's metadata name", undefined, "renewed"],
  ["is not renewed at another one than its own", "https://other.example", "sign-in needed"],
])("an imported sign-in without endpoints %s", async (_, issuer, expected) => {
  using folder = ownFolder();
  const { home, oauth, grant } = await expired(folder.path);
  const stored = await home.stored();
  const imported = { ...grant, tokenEndpoint: "", ...(issuer !== undefined && { issuer }) };
  await home.store({ ...stored, pinned: undefined, grant: imported });
  const before = provider.tokenRequests("refresh_token").length;
  const refresher = new TokenRefresher(oauth.context, oauth.store);
  const renewed = await refresher.refresh({ sent: grant.accessToken });
  const requests = provider.tokenRequests("refresh_token").length - before;
  if (expected === "renewed") {
    expect([renewed?.tokenEndpoint, requests]).toEqual([`${provider.issuer}/token`, 1]);
    expect((await home.stored()).grant.tokenEndpoint).toBe(`${provider.issuer}/token`);
  } else expect([renewed, requests]).toEqual([undefined, 0]);
});
