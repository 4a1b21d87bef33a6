import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { type BridgeHome, bridgeHome, startProgram } from "../support/oauth-bridge.ts";
import { type ClientProcess, startClient } from "../support/oauth-client.ts";
import { runProgram } from "../support/program.ts";

const clientInfo = { name: "t", version: "1" };
const token = "a-token-of-some-length";
const until = async (holds: () => boolean) => {
  while (!holds()) await Bun.sleep(5);
};

async function begin(
  home: BridgeHome,
  { words = [] as string[], protocolVersion = "2025-06-18", capabilities = {} } = {},
) {
  const client = startClient(home, { words });
  const params = { protocolVersion, capabilities, clientInfo };
  const answer = await client.request("initialize", params);
  client.notify("notifications/initialized");
  return { client, answer };
}

const namesIn = async (client: ClientProcess, params = {}) => {
  const { result, error } = await client.request("tools/list", params);
  return error?.data.kind ?? result.tools.map(({ name }: { name: string }) => name);
};

/** One life of the program: initialize, tools/list, end. */
async function life(home: BridgeHome, setting = {}) {
  const { client } = await begin(home, setting);
  const names = await namesIn(client);
  await client.end();
  return names;
}

const cacheOf = (home: BridgeHome) => join(home.folder, ".codex-mcp-bridge/cache/kb.json");
const kept = (home: BridgeHome) => readFileSync(cacheOf(home), "utf8");

test.each([[[]], [["--no-cache"]]])(
  "run with %j fails before the client times out if the server does not answer",
  async (words: string[]) => {
    await using server = listingServer({ ...listing(), answers: false });
    using folder = ownFolder();
    const home = await bridgeHome(folder.path, { url: server.url, timeoutSec: 1 });
    const { client, answer } = await begin(home, { words });
    expect(answer.error.message).toStartWith('"kb" did not answer initialize within 0.9 s');
    await client.end();
  },
);

test("a new token in a running bridge keeps the lists of the previous token", async () => {
  const state = listing();
  state.pages = (bearer) => [[bearer.slice(0, 5)]];
  await using server = listingServer(state);
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: server.url, token: `alice-${token}` });
  const { client } = await begin(home);
  expect(await namesIn(client)).toEqual(["alice"]);
  await home.configure({ kb: { url: server.url, token: `bobby-${token}` } });
  state.tokens = [`bobby-${token}`];
  expect(await namesIn(client)).toEqual(["bobby"]);
  await client.end();
  await home.configure({ kb: { url: server.url, token: `alice-${token}` } });
  state.answers = false;
  expect(await life(home)).toEqual(["alice"]);
});

test("test keeps the last good tools if the server returns none, also while it runs and if it is interrupted", async () => {
  const state = listing();
  await using server = listingServer(state);
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: server.url, token, timeoutSec: 2 });
  expect((await runProgram(["test"], { env: home.env })).code).toBe(0);
  expect(kept(home)).toContain("look");
  Object.assign(state, { status: 500, only: "tools/list" });
  const { stdout } = await runProgram(["test"], { env: home.env });
  expect(stdout).toContain("✓ Server name: s");
  expect(stdout).toContain("✗ Server error");
  expect(kept(home)).toContain("look");
  Object.assign(state, { answers: false, only: undefined });
  state.seen.length = 0;
  const testing = startProgram(["test"], home.env);
  await until(() => state.seen.length > 0);
  expect(kept(home)).toContain("look");
  testing.kill("SIGINT");
  await testing.ended;
  expect(kept(home)).toContain("look");
});

test("a running bridge does not restore the state that remove deleted", async () => {
  const state = listing();
  await using server = listingServer(state);
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: server.url, token });
  const { client } = await begin(home);
  await namesIn(client);
  await until(() => existsSync(cacheOf(home)) && kept(home).includes("look"));
  expect((await runProgram(["remove", "kb"], { env: home.env })).code).toBe(0);
  state.pages = [["other"]];
  expect(await namesIn(client)).toEqual(["other"]);
  await client.end();
  expect(existsSync(cacheOf(home))).toBe(false);
});

test("a batch of a client whose revision allows batches reaches a server without batches as single messages", async () => {
  const state = listing();
  await using server = listingServer(state);
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: server.url, token });
  const protocolVersion = "2025-03-26";
  await life(home, { protocolVersion });
  state.revision = "2025-06-18";
  const { client, answer } = await begin(home, { protocolVersion });
  expect(answer.result.protocolVersion).toBe(protocolVersion);
  const [called, pinged] = await client.batch(["tools/call", { name: "look" }], ["ping", {}]);
  expect(called.result).toEqual({ content: [] });
  expect(pinged.result).toEqual({});
  expect(state.seen).toContain("tools/call");
  expect(state.seen.filter(Array.isArray)).toEqual([]);
  await client.end();
});
