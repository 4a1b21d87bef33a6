import { expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  signIn,
  startRun,
} from "../../support/oauth-bridge.ts";
import { startProvider } from "../../support/oauth-provider.ts";
import { startProtectedServer } from "../../support/oauth-resource.ts";
import { oauthServers } from "../../support/oauth-servers.ts";

const servers = oauthServers();

const refreshes = () => servers.provider.tokenRequests("refresh_token").length;

/** Lets the stored access token be past its end, for us and for the server. */
async function expire(home: BridgeHome): Promise<void> {
  const stored = await home.stored();
  await servers.provider.revoke(stored.grant.accessToken);
  const grant = {
    ...stored.grant,
    obtainedAt: Date.now() - 3_600_000,
    expiresAt: Date.now() - 1000,
  };
  await home.store({ ...stored, grant });
}

async function everyCall(home: BridgeHome, before: () => Promise<void>): Promise<string[]> {
  const children = await Promise.all(Array.from({ length: 5 }, () => startRun(home)));
  await before();
  const calls = children.flatMap((child) => Array.from({ length: 20 }, () => callTool(child)));
  const results = await Promise.all(calls);
  await Promise.all(children.map((child) => child.end()));
  return results;
}

test("5 processes that start with an expired token renew it once, and none of their calls fails", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  await expire(home);
  const before = refreshes();
  const results = await everyCall(home, async () => {});
  expect(new Set(results)).toEqual(new Set(["done"]));
  expect(refreshes() - before).toBe(1);
}, 60_000);

test("requirements 20 and 21: 5 processes x 20 calls that meet an expired token renew it once, and no call fails", async () => {
  using folder = ownFolder();
  // Long enough for all the calls, also where other tests run beside them.
  const brief = await startProvider({ accessTokenTtlSec: 10 });
  const server = startProtectedServer(brief);
  const home = await bridgeHome(folder.path, { url: server.url });
  await signIn(home);
  const count = () => brief.tokenRequests("refresh_token").length;
  let before = 0;
  let expired = 0;
  const results = await everyCall(home, async () => {
    const { grant } = await home.stored();
    await Bun.sleep(grant.expiresAt - Date.now());
    expect((await brief.find(grant.accessToken))?.isExpired ?? true).toBe(true);
    before = count();
    expired = server.calls();
  });
  expect(new Set(results)).toEqual(new Set(["done"]));
  // The handshake had the token of the sign-in; each of the calls came after its end.
  expect([results.length, server.calls() - expired, count() - before]).toEqual([100, 100, 1]);
  await server.close();
  await brief.close();
}, 60_000);

test("requirements 20 and 21: 5 processes x 20 calls that meet a revoked token renew it once, and no call fails", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const before = refreshes();
  const results = await everyCall(home, async () => {
    await servers.provider.revoke((await home.stored()).grant.accessToken);
  });
  expect(new Set(results)).toEqual(new Set(["done"]));
  expect(refreshes() - before).toBe(1);
}, 60_000);

test("requirement 23: after a revoked refresh token every process names the command that signs in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const results = await everyCall(home, async () => {
    const { grant } = await home.stored();
    await servers.provider.revoke(grant.accessToken);
    await (await servers.provider.provider.RefreshToken.find(grant.refreshToken))?.destroy();
  });
  expect(new Set(results)).toEqual(
    new Set(['1401 server "kb" needs a sign-in: run codex-mcp-http-bridge login --server kb']),
  );
}, 60_000);

test("after login elsewhere the next call of a running bridge succeeds", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  const { grant } = await home.stored();
  await servers.provider.revoke(grant.accessToken);
  await (await servers.provider.provider.RefreshToken.find(grant.refreshToken))?.destroy();
  expect(await callTool(child)).toStartWith("1401 ");
  await signIn(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
}, 60_000);

test("after login elsewhere a running bridge that was refused even a new token goes on at once", async () => {
  using folder = ownFolder();
  const banned = new Set<string | null>();
  let bansAll = false;
  const strict = startProtectedServer(servers.provider, {
    intercept(request, { pathname }) {
      const token = request.headers.get("authorization");
      if (pathname !== "/mcp" || token === null) return undefined;
      if (bansAll) banned.add(token);
      const headers = { "www-authenticate": 'Bearer error="invalid_token"' };
      return banned.has(token) ? new Response("{}", { status: 401, headers }) : undefined;
    },
  });
  const home = await bridgeHome(folder.path, { url: strict.url });
  await signIn(home);
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  bansAll = true;
  expect(await callTool(child)).toStartWith("1402 ");
  bansAll = false;
  expect(await callTool(child)).toContain("refuses even a new token");
  await signIn(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
  await strict.close();
}, 60_000);

test("requirement 13: the renewal carries the same resource and scope, and the rotated token is stored", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  await expire(home);
  const old = (await home.stored()).grant.refreshToken;
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
  const form = servers.provider.tokenRequests("refresh_token").at(-1)!.form;
  expect(form.get("resource")).toBe(servers.resource.url);
  expect(form.get("scope")).toBe("mcp");
  expect((await home.stored()).grant.refreshToken).not.toBe(old);
}, 60_000);
