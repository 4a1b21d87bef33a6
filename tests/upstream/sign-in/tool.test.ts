import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import { type ClientProcess, handshake, startClient } from "../../support/oauth-client.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { runProgram } from "../../support/program.ts";

let provider: AuthorizationServer;
/** Has a tool `sign_in` of its own. */
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSec: 0.05 });
  resource = startProtectedServer(provider, { tools: ["sign_in"] });
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const namesIn = async (client: ClientProcess) =>
  (await client.request("tools/list")).result.tools.map(({ name }: { name: string }) => name);
const call = async (client: ClientProcess, name: string) =>
  (await client.request("tools/call", { name, arguments: {} })).result.content[0].text;

test("once the client has the server's list, its tool sign_in is the server's own", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home);
  await handshake(client);
  expect(await namesIn(client)).toEqual(["sign_in"]);
  await signIn(home);
  expect(await call(client, "sign_in")).toContain("is signed in");
  expect(await namesIn(client)).toContain("sign_in");
  expect(await call(client, "sign_in")).toBe("done: sign_in");
  await runProgram(["logout", "-s", "kb"], { env: home.env });
  const { authorization } = resource.requests.findLast(({ status }) => status === 200)!;
  await provider.revoke(authorization!.replace("Bearer ", ""));
  expect(await namesIn(client)).toEqual(["sign_in_to_kb"]);
  expect(await call(client, "sign_in_to_kb")).toContain(`${provider.issuer}/device`);
  await client.end();
});

test("where a list from before, too old to be served, holds sign_in, ours has the other name", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  // The sign-in is gone, and what was listed with it is still kept.
  rmSync(`${folder.path}/.codex-mcp-bridge/credentials/kb.json`);
  const file = `${folder.path}/.codex-mcp-bridge/cache/kb.json`;
  const cache = JSON.parse(readFileSync(file, "utf8"));
  for (const entry of Object.values(cache.facts.catalog.entries) as { savedAt: number }[])
    entry.savedAt = 0;
  writeFileSync(file, JSON.stringify(cache), { mode: 0o600 });
  const client = startClient(home);
  await handshake(client);
  expect(await namesIn(client)).toEqual(["sign_in_to_kb"]);
  await client.end();
});

test("logout forgets the lists of the person who leaves", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  const client = startClient(home);
  await handshake(client);
  expect(await namesIn(client)).toContain("sign_in");
  await client.end();
  const file = `${folder.path}/.codex-mcp-bridge/cache/kb.json`;
  expect(readFileSync(file, "utf8")).toContain("sign_in");
  await runProgram(["logout", "-s", "kb"], { env: home.env });
  expect(JSON.parse(readFileSync(file, "utf8")).facts.catalog).toBeUndefined();
});
