import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Arguments, Command } from "../../src/cli/command.ts";
import { disable, enable } from "../../src/commands/enable.ts";
import { command as rename } from "../../src/commands/rename.ts";
import { enabledServers, loadConfig, pickServer } from "../../src/config/load.ts";
import { requireNamedVariables } from "../../src/config/requirements.ts";
import { CredentialStore } from "../../src/oauth/store/store.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog } from "../support/client.ts";
import { testContext } from "../support/context.ts";
import { ownFolder } from "../support/folder.ts";

const opened: Disposable[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each[Symbol.dispose]();
});

/** A home with the servers `kb` (signed in, with cache and approvals) and `other`. */
async function home() {
  const folder = ownFolder();
  opened.push(folder);
  const at = (path: string) => join(folder.path, path);
  const url = "https://kb.example/mcp";
  const servers = { kb: { url, auth: { type: "oauth" } }, other: { url, token: "t" } };
  writeFileSync(at("config.json"), JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const paths = homeOf({ CODEX_MCP_BRIDGE_HOME: folder.path });
  const store = async (name: string) => {
    const deps = { log: memoryLog(), redactor: new Redactor(), keyring: () => neverKeyring() };
    return new CredentialStore(pickServer(await loadConfig(paths), name), deps);
  };
  const grant = {
    issuer: "https://as.example",
    tokenEndpoint: "https://as.example/token",
    client: { id: "c" },
    accessToken: "canary-access",
    refreshToken: "canary-refresh",
    obtainedAt: 1,
  };
  const own = { version: 1, server: "kb", origin: "https://kb.example" } as const;
  await (await store("kb")).writeNew({ ...own, grant } as never);
  for (const [path, text] of [
    ["cache", "cached"],
    ["approved", "approved"],
  ] as const) {
    mkdirSync(at(path), { mode: 0o700 });
    writeFileSync(at(`${path}/kb.json`), text, { mode: 0o600 });
  }
  const run = async <T extends Arguments>(command: Command<T>, values: object) => {
    const context = testContext({ env: { CODEX_MCP_BRIDGE_HOME: folder.path } });
    try {
      await command.run(values as never, context);
      return context.printed;
    } catch (error) {
      if (error instanceof BridgeError) return `${error.kind}: ${error.message}`;
      throw error;
    }
  };
  const names = () => Object.keys(JSON.parse(readFileSync(at("config.json"), "utf8")).servers);
  const grantOf = async (name: string) => (await (await store(name)).read()).grant;
  return { at, run, names, grantOf, grant, load: () => loadConfig(paths) };
}

function neverKeyring(): never {
  throw new Error("no keyring is used here");
}

test("rename moves the entry at its place, the sign-in, the cache and the approvals", async () => {
  const { at, run, names, grantOf, grant } = await home();
  const printed = await run(rename, { old: "KB", new: "crm" });
  expect(printed).toContain('Renamed server "kb" to "crm"');
  expect(printed).toContain("Entries of clients still name the old one.\n");
  for (const client of ["codex-config", "client-config --for CLIENT"]) {
    expect(printed).toContain(`${client} --server crm --write\n`);
    expect(printed).toContain(`${client} --server kb --remove\n`);
  }
  expect(names()).toEqual(["crm", "other"]);
  expect(await grantOf("crm")).toMatchObject(grant);
  expect(readFileSync(at("cache/crm.json"), "utf8")).toBe("cached");
  expect(readFileSync(at("approved/crm.json"), "utf8")).toBe("approved");
  for (const folder of ["credentials", "cache", "approved"])
    expect(existsSync(at(`${folder}/kb.json`))).toBe(false);
});

test.each([
  ["other", "configuration"],
  ["OTHER", "configuration"],
  ["KB", "configuration"],
  ["../x", "usage"],
  ["a b", "usage"],
  ["", "usage"],
])("the new name %p is refused, and nothing changes", async (name, kind) => {
  const { run, names, grantOf, grant } = await home();
  expect(await run(rename, { old: "kb", new: name })).toStartWith(`${kind}: `);
  expect(names()).toEqual(["kb", "other"]);
  expect(await grantOf("kb")).toMatchObject(grant);
});

test("the refusal of a new name says which server has it", async () => {
  const { run } = await home();
  const taken = 'configuration: there is a server "other" already';
  expect(await run(rename, { old: "kb", new: "other" })).toBe(taken);
  expect(await run(rename, { old: "kb", new: "Other" })).toBe(
    `${taken}, and names must differ in more than upper and lower case`,
  );
});

test("a rename that fails in the middle leaves the server with everything under its old name", async () => {
  const { at, run, names, grantOf, grant } = await home();
  mkdirSync(at("approved/crm.json"));
  expect(await run(rename, { old: "kb", new: "crm" })).toStartWith("configuration: ");
  expect(names()).toEqual(["kb", "other"]);
  expect(await grantOf("kb")).toMatchObject(grant);
  expect(readFileSync(at("cache/kb.json"), "utf8")).toBe("cached");
  // Nothing that holds a secret is left under the new name.
  expect(existsSync(at("credentials/crm.json"))).toBe(false);
});

test("what an earlier server of the new name left is not taken over", async () => {
  const { at, run, grantOf } = await home();
  for (const folder of ["cache", "approved"])
    writeFileSync(at(`${folder}/crm.json`), "stale", { mode: 0o600 });
  writeFileSync(at("credentials/crm.json"), "{}", { mode: 0o600 });
  expect(await run(rename, { old: "other", new: "crm" })).toContain("Renamed");
  for (const folder of ["credentials", "cache", "approved"])
    expect(existsSync(at(`${folder}/crm.json`))).toBe(false);
  expect(await grantOf("crm")).toBeUndefined();
});

test("a disabled server keeps its sign-in, and is used by nobody until it is enabled", async () => {
  const { run, load, grantOf, grant } = await home();
  expect(await run(disable, { name: "KB" })).toContain('Disabled server "kb"');
  const config = await load();
  expect(enabledServers(config).map(({ name }) => name)).toEqual(["other"]);
  expect(pickServer(config).name).toBe("other");
  const refused = await requireNamedVariables(pickServer(config, "kb"), {}).catch((error) => error);
  expect(refused).toMatchObject({ kind: "configuration", exitCode: 3 });
  expect(refused.hintText((words: string) => words)).toBe("run enable kb");
  expect(await grantOf("kb")).toMatchObject(grant);
  await run(disable, { name: "other" });
  const all = await load();
  expect(() => enabledServers(all)).toThrow("only disabled servers");
  expect(await run(enable, { name: "kb" })).toBe('Enabled server "kb"\n');
  expect(enabledServers(await load()).map(({ name }) => name)).toEqual(["kb"]);
});

test("a server that is not there is neither renamed nor disabled", async () => {
  const { run, names } = await home();
  expect(await run(rename, { old: "no", new: "crm" })).toStartWith("configuration: ");
  expect(await run(disable, { name: "no" })).toStartWith("configuration: ");
  expect(names()).toEqual(["kb", "other"]);
});
