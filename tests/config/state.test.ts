import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseConfig, pickServer } from "../../src/config/load.ts";
import { inLoginTurn } from "../../src/oauth/sign-in/sign-in-locks.ts";
import { CredentialStore } from "../../src/oauth/store/store.ts";
import { cacheFile, homeOf } from "../../src/platform/paths.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "../support/client.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

test("sign-in, cache and locks are stored below stateRoot; relative file names of the entry are resolved against home", async () => {
  const home = join(folder.path, "home");
  const stateRoot = join(folder.path, "state");
  mkdirSync(home, { mode: 0o700 });
  const paths = { ...homeOf({ CODEX_MCP_BRIDGE_HOME: home }), stateRoot };
  const auth = { type: "oauth", clientSecretFile: "secret" };
  const servers = { kb: { url: "https://kb.example/mcp", auth } };
  const server = pickServer(await parseConfig(JSON.stringify({ version: 1, servers }), paths));
  const log = memoryLog();

  const cache = new ServerCache(cacheFile(server.state), server.url, log);
  cache.set("fact", 1);
  cache.flush();
  const keyring = () => {
    throw new Error("no keyring here");
  };
  const store = new CredentialStore(server, { keyring, log, redactor: new Redactor() });
  await store.update((stored) => stored);
  await inLoginTurn(server, async () => undefined, new AbortController().signal);

  expect(readdirSync(home)).toEqual([]);
  expect(readdirSync(stateRoot, { recursive: true }).sort()).toEqual([
    "cache",
    "cache/kb.json",
    "credentials",
    "credentials/kb.json",
    "locks",
    "locks/kb.credentials.lock",
    "locks/kb.login.lock",
    "locks/kb.sign-in.lock",
  ]);
  const { credential } = server;
  expect(credential).toMatchObject({ auth: { clientSecretFile: join(home, "secret") } });
});
