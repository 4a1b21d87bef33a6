import { afterAll, beforeAll, expect, test } from "bun:test";
import { watch } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  initializeParams,
  type Running,
  signIn,
  startProgram,
  startRun,
} from "../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../support/oauth-resource.ts";

/** The 50 rounds take minutes: `KILL_ROUNDS=50 bun test tests/oauth/killed.test.ts`. */
const rounds = Number(process.env.KILL_ROUNDS ?? 5);

let provider: AuthorizationServer;
let resource: ProtectedServer;
let onRefresh: "pass" | "kill before" | "kill after" = "pass";
let victim: Running | undefined;

beforeAll(async () => {
  provider = await startProvider({
    async intercept({ form }, response) {
      if (form.get("grant_type") !== "refresh_token" || onRefresh === "pass") return false;
      if (onRefresh === "kill before") {
        victim?.kill();
        await victim?.ended;
        response.destroy();
        return true;
      }
      // The provider rotates; its answer finds nobody any more.
      const end = response.end.bind(response);
      response.end = ((...words: Parameters<typeof end>) => {
        victim?.kill();
        void victim?.ended.then(() => end(...words));
        return response;
      }) as typeof response.end;
      return false;
    },
  });
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

async function expire(home: BridgeHome): Promise<void> {
  const stored = await home.stored();
  await provider.revoke(stored.grant.accessToken);
  const grant = {
    ...stored.grant,
    obtainedAt: Date.now() - 3_600_000,
    expiresAt: Date.now() - 1000,
  };
  await home.store({ ...stored, grant });
}

/** A `run` whose initialize makes it renew the token. */
function startVictim(home: BridgeHome): Running {
  const child = startProgram(["run", "--server", "kb"], home.env);
  const message = { jsonrpc: "2.0", id: 0, method: "initialize" };
  const line = JSON.stringify(message).slice(0, -1);
  child.write(`${line},"params":${initializeParams()}}\n`);
  return child;
}

async function callOnce(home: BridgeHome): Promise<string> {
  const child = await startRun(home);
  const result = await callTool(child);
  await child.end();
  return result;
}

test("a process killed before its refresh arrives costs no sign-in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  for (let round = 0; round < rounds; round++) {
    await expire(home);
    onRefresh = "kill before";
    victim = startVictim(home);
    await victim.ended;
    onRefresh = "pass";
    expect(await callOnce(home)).toBe("done");
  }
}, 300_000);

test("a process killed after the store is renamed costs no sign-in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  for (let round = 0; round < rounds; round++) {
    await expire(home);
    const before = (await home.stored()).grant.accessToken;
    const renamed = Promise.withResolvers<void>();
    const watcher = watch(join(folder.path, ".codex-mcp-bridge/credentials"), async () => {
      const stored = await home.stored().catch(() => undefined);
      if (stored !== undefined && stored.grant.accessToken !== before) renamed.resolve();
    });
    victim = startVictim(home);
    await renamed.promise;
    victim.kill();
    await victim.ended;
    watcher.close();
    expect(await callOnce(home)).toBe("done");
  }
}, 300_000);

test("a process killed between the answer and the rename costs one sign-in, and nothing loops", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  for (let round = 0; round < rounds; round++) {
    await expire(home);
    onRefresh = "kill after";
    victim = startVictim(home);
    await victim.ended;
    onRefresh = "pass";
    const before = provider.tokenRequests("refresh_token").length;
    expect(await callOnce(home)).toStartWith("1401 ");
    // The old refresh token is tried once more, then given up for good.
    expect(provider.tokenRequests("refresh_token").length - before).toBe(1);
    await signIn(home);
    expect(await callOnce(home)).toBe("done");
  }
}, 300_000);
