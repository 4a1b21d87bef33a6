import { afterAll, beforeAll, expect, test } from "bun:test";
import { watch } from "node:fs";
import { join } from "node:path";
import type { RunChild } from "../../../src/commands/test/mcp-child.ts";
import { ownFolder } from "../../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  initializeParams,
  type Running,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";

/** 50 of each in npm run test:soak. */
const rounds = Number(process.env.REFRESH_ROUNDS ?? 3);
const waitingProcesses = 4;
const callsOfEach = 20;

/** A refresh of the victim that the authorization server holds. */
interface Held {
  /** Before the provider sees it, or between its answer and the wire. */
  readonly at: "request" | "answer";
  readonly reached: PromiseWithResolvers<void>;
  readonly release: PromiseWithResolvers<void>;
}

let provider: AuthorizationServer;
let resource: ProtectedServer;
let held: Held | undefined;

function hold(at: Held["at"]): Held {
  held = { at, reached: Promise.withResolvers(), release: Promise.withResolvers() };
  return held;
}

beforeAll(async () => {
  provider = await startProvider({
    async intercept({ form }, response) {
      const now = form.get("grant_type") === "refresh_token" ? held : undefined;
      if (now === undefined) return false;
      held = undefined;
      if (now.at === "request") {
        now.reached.resolve();
        await now.release.promise;
        response.destroy();
        return true;
      }
      const end = response.end.bind(response);
      response.end = ((...words: Parameters<typeof end>) => {
        now.reached.resolve();
        void now.release.promise.then(() => end(...words));
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

const refreshes = () => provider.tokenRequests("refresh_token").length;
const refused = () => resource.requests.filter(({ status }) => status === 401).length;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(2);
}

/** A `run` whose initialize makes it renew the token. */
function startVictim(home: BridgeHome): Running {
  const child = startProgram(["run", "--server", "kb"], home.env);
  const message = { jsonrpc: "2.0", id: 0, method: "initialize" };
  const line = JSON.stringify(message).slice(0, -1);
  child.write(`${line},"params":${initializeParams()}}\n`);
  return child;
}

async function kill(victim: Running): Promise<void> {
  victim.kill();
  await victim.ended;
}

/** Four processes that have spoken with the server. */
async function begin(folder: string) {
  const home = await bridgeHome(folder, { url: resource.url });
  await signIn(home);
  const others = await Promise.all(Array.from({ length: waitingProcesses }, () => startRun(home)));
  for (const child of others) expect(await callTool(child)).toBe("done");
  return { home, others };
}

/** Revokes the token; all calls of the others are refused, and wait at the lock that the victim holds. */
async function meetAtLock(home: BridgeHome, others: readonly RunChild[], at: Held["at"]) {
  await provider.revoke((await home.stored()).grant.accessToken);
  const { reached, release } = hold(at);
  const victim = startVictim(home);
  await reached.promise;
  const before = { refreshes: refreshes(), refused: refused() };
  const calls = others.flatMap((child) =>
    Array.from({ length: callsOfEach }, () => callTool(child)),
  );
  await until(() => refused() - before.refused >= calls.length);
  return {
    victim,
    release,
    results: async () => [...new Set(await Promise.all(calls))],
    refreshes: () => refreshes() - before.refreshes,
  };
}

const whoWaits = `while ${waitingProcesses} others wait with ${callsOfEach} calls each`;

test(`requirement 21: a process killed before its refresh is processed costs no sign-in, ${whoWaits}`, async () => {
  using folder = ownFolder();
  const { home, others } = await begin(folder.path);
  for (let round = 0; round < rounds; round++) {
    const met = await meetAtLock(home, others, "request");
    await kill(met.victim);
    met.release.resolve();
    expect(await met.results()).toEqual(["done"]);
    expect(met.refreshes()).toBe(1);
  }
  await Promise.all(others.map((child) => child.end()));
}, 600_000);

test(`requirement 21: a process killed after the store is renamed costs no sign-in, ${whoWaits}`, async () => {
  using folder = ownFolder();
  const { home, others } = await begin(folder.path);
  for (let round = 0; round < rounds; round++) {
    const before = (await home.stored()).grant.accessToken;
    const met = await meetAtLock(home, others, "answer");
    const renamed = Promise.withResolvers<void>();
    const watcher = watch(join(folder.path, ".codex-mcp-bridge/credentials"), async () => {
      const stored = await home.stored().catch(() => undefined);
      if (stored !== undefined && stored.grant.accessToken !== before) renamed.resolve();
    });
    met.release.resolve();
    await renamed.promise;
    await kill(met.victim);
    watcher.close();
    expect(await met.results()).toEqual(["done"]);
    expect(met.refreshes()).toBe(0);
  }
  await Promise.all(others.map((child) => child.end()));
}, 600_000);

test(`requirement 23: a process killed between the answer and the rename costs one sign-in and nothing loops, ${whoWaits}`, async () => {
  using folder = ownFolder();
  const { home, others } = await begin(folder.path);
  for (let round = 0; round < rounds; round++) {
    const met = await meetAtLock(home, others, "answer");
    await kill(met.victim);
    met.release.resolve();
    expect(await met.results()).toEqual([
      '1401 server "kb" needs a sign-in: run codex-mcp-http-bridge login --server kb',
    ]);
    // The old refresh token is tried once more, then given up for good.
    expect(met.refreshes()).toBe(1);
    await signIn(home);
    for (const child of others) expect(await callTool(child)).toBe("done");
  }
  await Promise.all(others.map((child) => child.end()));
}, 600_000);

test("requirement 23: a process that is ended during a renewal stores the renewed grant first", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  const before = (await home.stored()).grant;
  await provider.revoke(before.accessToken);
  const { reached, release } = hold("answer");
  const victim = startVictim(home);
  await reached.promise;
  victim.kill("SIGTERM");
  // With this it has said goodbye to its client; the answer comes after that.
  await victim.seen(/outcome-unknown/);
  release.resolve();
  expect((await victim.ended).code).toBe(143);
  const { grant } = await home.stored();
  expect(grant.refreshToken).not.toBe(before.refreshToken);
  const next = await startRun(home);
  expect(await callTool(next)).toBe("done");
  await next.end();
});
