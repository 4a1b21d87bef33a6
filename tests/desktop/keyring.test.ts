import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  signIn,
  startProgram,
  startRun,
} from "../support/oauth-bridge.ts";
import { oauthServers } from "../support/oauth-servers.ts";
import { approveInBrowser } from "../support/oauth-user.ts";
import { runProgram } from "../support/program.ts";

const servers = oauthServers();

const bus = { DBUS_SESSION_BUS_ADDRESS: process.env.DBUS_SESSION_BUS_ADDRESS ?? "" };

async function homeWith(
  folder: string,
  store: string,
  env: Record<string, string>,
): Promise<BridgeHome> {
  const home = await bridgeHome(folder, {
    url: servers.resource.url,
    auth: { type: "oauth", store },
  });
  Object.assign(home.env, env);
  return home;
}

async function callOnce(home: BridgeHome): Promise<string> {
  const child = await startRun(home);
  const result = await callTool(child);
  await child.end();
  return result;
}

const collections = "/org/freedesktop/secrets/collection";

/** Calls the secret service of this test's session. */
async function service(method: string, ...values: string[]): Promise<void> {
  const words = [
    "--session",
    "--print-reply",
    "--dest=org.freedesktop.secrets",
    "/org/freedesktop/secrets",
  ];
  const call = [`org.freedesktop.Secret.Service.${method}`, ...values];
  const child = Bun.spawn(["dbus-send", ...words, ...call], { stdout: "ignore" });
  expect(await child.exited).toBe(0);
}

test.each(["keyring", "auto"])(
  "with store %p the tokens stand in the keyring and the file says so",
  async (store) => {
    using folder = ownFolder();
    const home = await homeWith(folder.path, store, bus);
    await signIn(home);
    const file = await Bun.file(join(folder.path, ".codex-mcp-bridge/credentials/kb.json")).text();
    expect(JSON.parse(file)).toMatchObject({ keyring: true, server: "kb" });
    expect(file).not.toContain("Token");
    expect(await callOnce(home)).toBe("done");
    const status = await runProgram(["status", "--json"], { env: home.env });
    expect(JSON.parse(status.stdout).servers[0].signIn).toMatchObject({
      state: "signed-in",
      store: "keyring",
    });
    expect((await runProgram(["logout", "-s", "kb"], { env: home.env })).code).toBe(0);
    expect(await callOnce(home)).toStartWith("1401 ");
  },
);

test("a token that ends is renewed in the keyring, and the file never holds it", async () => {
  using folder = ownFolder();
  const home = await homeWith(folder.path, "keyring", bus);
  await signIn(home);
  const token = servers.provider.requests.length;
  const { stdout } = await runProgram(["headers", "-s", "kb"], { env: home.env });
  await servers.provider.revoke(JSON.parse(stdout).Authorization.replace("Bearer ", ""));
  expect(await callOnce(home)).toBe("done");
  expect(servers.provider.requests.length).toBeGreaterThan(token);
  const file = await Bun.file(join(folder.path, ".codex-mcp-bridge/credentials/kb.json")).text();
  expect(file).not.toContain("refresh");
});

test("without a bus, auto takes the file and keyring is an error that says so, within 5 s", async () => {
  using folder = ownFolder();
  const home = await homeWith(folder.path, "auto", {
    DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent",
  });
  await signIn(home);
  expect((await home.stored()).grant.accessToken).toBeString();
  using second = ownFolder();
  const other = await homeWith(second.path, "keyring", {
    DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent",
  });
  const started = Date.now();
  expect(signIn(other)).rejects.toThrow("the keyring cannot be used");
  expect(Date.now() - started).toBeLessThan(5000);
});

/** A folder for PATH that holds these programs alone. */
function pathWith(folder: string, ...names: string[]): string {
  const path = join(folder, "bin");
  mkdirSync(path);
  for (const name of names) symlinkSync(Bun.which(name)!, join(path, name));
  return path;
}

test("where nothing tells whether the keyring lasts, auto takes the file and keyring says so", async () => {
  using folder = ownFolder();
  const PATH = pathWith(folder.path);
  await signIn(await homeWith(folder.path, "auto", { ...bus, PATH }));
  const file = join(folder.path, ".codex-mcp-bridge/credentials/kb.json");
  expect(await Bun.file(file).text()).toContain("accessToken");
  using second = ownFolder();
  const home = await homeWith(second.path, "keyring", { ...bus, PATH, LOG_LEVEL: "warn" });
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  await approveInBrowser((await login.seen(/http:\/\/127\S+\/auth\?\S+/))[0]);
  const { code, stderr } = await login.ended;
  expect([code, stderr.match(/nothing here tells/g)?.length]).toEqual([0, 1]);
  expect(await home.stored()).toMatchObject({ keyring: true });
});

test.each(["busctl", "gdbus", "dbus-send"])(
  "the collection that ends with the desktop session is refused, as %s tells",
  async (tool) => {
    using folder = ownFolder();
    const PATH = pathWith(folder.path, tool);
    const home = await homeWith(folder.path, "keyring", { ...bus, PATH });
    await service("SetAlias", "string:default", `objpath:${collections}/session`);
    try {
      await expect(signIn(home)).rejects.toThrow("does not last");
    } finally {
      await service("SetAlias", "string:default", `objpath:${collections}/login`);
    }
  },
);

/** The secret of a server in the keyring; null if there is none. */
const secretOf = (folder: string, server: string) =>
  Bun.secrets.get({
    service: "codex-mcp-http-bridge",
    name: `${join(folder, ".codex-mcp-bridge")}/${server}`,
  });

const run = (home: BridgeHome, ...words: string[]) => runProgram(words, { env: home.env });

test("a renamed server's sign-in stays in the keyring, under the new name alone, and remove deletes it", async () => {
  using folder = ownFolder();
  const home = await homeWith(folder.path, "keyring", bus);
  await signIn(home);
  const secret = await secretOf(folder.path, "kb");
  expect((await run(home, "rename", "kb", "crm")).code).toBe(0);
  expect(await secretOf(folder.path, "crm")).toBe(secret);
  expect(await secretOf(folder.path, "kb")).toBeNull();
  const { stdout } = await run(home, "headers", "-s", "crm");
  expect(JSON.parse(stdout).Authorization).toStartWith("Bearer ");
  const status = JSON.parse((await run(home, "status", "--json")).stdout);
  expect(status.servers[0]).toMatchObject({ name: "crm", signIn: { store: "keyring" } });
  expect((await run(home, "remove", "crm")).code).toBe(0);
  expect(await secretOf(folder.path, "crm")).toBeNull();
});

test("a locked keyring is never taken for signed out, and nothing is overwritten", async () => {
  using folder = ownFolder();
  const home = await homeWith(folder.path, "keyring", bus);
  await signIn(home);
  await service("Lock", `array:objpath:${collections}/login`);
  const child = await runProgram(["headers", "-s", "kb"], { env: home.env });
  expect(child.code).toBe(3);
  expect(child.stderr).toContain("locked");
  const status = await runProgram(["status", "--json"], { env: home.env });
  expect(JSON.parse(status.stdout).servers[0].signIn).toMatchObject({ state: "unknown" });
  // Neither a new name nor another machine gets half a sign-in.
  const files = ["config.json", "credentials/kb.json"].map((file) =>
    join(folder.path, ".codex-mcp-bridge", file),
  );
  const texts = () => Promise.all(files.map((file) => Bun.file(file).text()));
  const before = await texts();
  for (const words of [
    ["rename", "kb", "crm"],
    ["credentials", "export", "-s", "kb", "--passphrase-fd", "0"],
  ]) {
    const refused = await runProgram(words, { env: home.env, stdin: "passphrase of this test\n" });
    expect([refused.code, refused.stdout]).toEqual([3, ""]);
    expect(refused.stderr).toContain("locked");
    expect(await texts()).toEqual(before);
  }
  // The secret stays in the locked keyring, and the user is told.
  Object.assign(home.env, { LOG_LEVEL: "warn" });
  const removed = await run(home, "remove", "kb");
  expect([removed.code, removed.stderr]).toEqual([
    0,
    expect.stringContaining("the keyring may still hold the sign-in"),
  ]);
});
