import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, rmdirSync } from "node:fs";
import { belongsTo } from "../../../src/oauth/core/grant.ts";
import { grantOwnerOf, storedGrantOwner } from "../../../src/oauth/store/grant-owner.ts";
import { CredentialStore } from "../../../src/oauth/store/store.ts";
import type { Keyring } from "../../../src/platform/keyring.ts";
import { withLock } from "../../../src/platform/lock.ts";
import { stateOf } from "../../../src/platform/paths.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { memoryLog } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";

const callbackPort = 45_471;
const secret = "the-secret-of-this-year";

let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({
    clients: [
      {
        client_id: "known",
        client_secret: secret,
        token_endpoint_auth_method: "client_secret_basic",
        application_type: "native",
        redirect_uris: [`http://127.0.0.1:${callbackPort}/callback`],
        grant_types: ["authorization_code", "refresh_token"],
      },
    ],
  });
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

/** A sign-in whose access token has ended, as this process sees it. */
async function ended(folder: string, auth: object = {}) {
  const entry = { url: resource.url, auth: { type: "oauth", ...auth } };
  const home = await bridgeHome(folder, entry);
  await signIn(home);
  const stored = await home.stored();
  await home.store({ ...stored, grant: { ...stored.grant, obtainedAt: 0, expiresAt: 1 } });
  return { home, grant: stored.grant, oauth: oauthInside(folder, entry) };
}

test("a renewal sends the client secret that is configured now, not the one at sign-in", async () => {
  using folder = ownFolder();
  const auth = { clientId: "known", clientSecret: secret, callbackPort };
  const { home, oauth } = await ended(folder.path, auth);
  const stored = await home.stored();
  const client = { ...stored.grant.client, secret: "the-secret-of-last-year" };
  await home.store({ ...stored, grant: { ...stored.grant, client } });
  const renewed = await oauth.refresher.refresh({ sent: stored.grant.accessToken });
  expect(renewed?.accessToken).toBeString();
});

test("a renewed grant that cannot be stored is used, and its refresh token renews it again", async () => {
  using folder = ownFolder();
  const { home, oauth, grant } = await ended(folder.path);
  const { store, refresher, log } = oauth;
  store.write = () => Promise.reject(new BridgeError("configuration", "the disk is full"));
  const first = await refresher.refresh({ sent: grant.accessToken });
  expect(log.events.join("\n")).toContain("the renewed sign-in cannot be stored");
  const second = await refresher.refresh({ sent: first!.accessToken });
  expect(second?.accessToken).not.toBe(first!.accessToken);
  // There is room again: what is stored is the last one.
  Reflect.deleteProperty(store, "write");
  const third = await refresher.refresh({ sent: second!.accessToken });
  expect((await home.stored()).grant.refreshToken).toBe(third!.refreshToken);
  expect((await provider.find(third!.accessToken))?.isExpired).toBe(false);
});

test("a process that hangs while it holds the lock blocks the others for a bounded time", async () => {
  using folder = ownFolder();
  const { context, log } = oauthInside(folder.path, { url: resource.url });
  const { server, redactor } = context;
  const keyring = () => {
    throw new Error("no keyring is asked");
  };
  const store = new CredentialStore(server, { keyring, log, redactor, lockWaitMs: 30 });
  const held = Promise.withResolvers<void>();
  const isHeld = Promise.withResolvers<void>();
  const owner = withLock(server.home, "kb.credentials", () => {
    isHeld.resolve();
    return held.promise;
  });
  await isHeld.promise;
  const error = await store.update((stored) => stored).catch((reason) => reason);
  expect([error.kind, error.message]).toEqual([
    "timeout",
    'another process has held the sign-in of server "kb" for 0.03 s',
  ]);
  held.resolve();
  await owner;
  // Work itself may take longer than the wait.
  expect(await store.locked(() => Bun.sleep(60).then(() => "done"))).toBe("done");
});

test.each<[string, () => object]>([
  ["client id", () => ({ url: resource.url, auth: { type: "oauth", clientId: "other" } })],
  ["issuer", () => ({ url: resource.url, auth: { type: "oauth", issuer: "https://as.example" } })],
  ["origin", () => ({ url: "https://kb.example/mcp" })],
])(
  "what is noted under another %s leaves the sign-in alone, and is known there",
  async (_, entry) => {
    using folder = ownFolder();
    const { home, grant } = await ended(folder.path);
    const { clients } = await home.stored();
    const { store, context } = oauthInside(folder.path, entry());
    const client = { id: "new", method: "none", source: "registered" } as const;
    await store.update((stored) => ({ ...stored, declinedAt: 7, wantedScope: "more" }));
    await store.update((stored) => ({
      ...stored,
      clients: { ...stored.clients, "https://as.example": client },
    }));
    await store.update(({ wantedScope: _, ...stored }) => stored);
    expect(await store.read()).toMatchObject({ declinedAt: 7, origin: context.server.url.origin });
    expect((await store.read()).grant).toBeUndefined();
    const after = oauthInside(folder.path, { url: resource.url, auth: { type: "oauth" } });
    const { accessToken, refreshToken } = grant;
    expect(await after.store.read()).toMatchObject({ grant: { accessToken, refreshToken } });
    expect((await home.stored()).clients).toEqual({ ...clients, "https://as.example": client });
    expect(await home.stored()).not.toHaveProperty("wantedScope");
  },
);

/** A keyring of this process alone. */
function fakeKeyring(works: { now: boolean }): Keyring & { readonly calls: string[] } {
  const kept = new Map<string, string>();
  const calls: string[] = [];
  const note = (call: string) => {
    calls.push(call);
    if (!works.now) throw new BridgeError("configuration", "the keyring cannot be used");
  };
  return {
    calls,
    async get(name) {
      note("get");
      return kept.get(name) ?? null;
    },
    async set(name, secret) {
      note(name.startsWith("probe-") ? "probe" : "set");
      kept.set(name, secret);
    },
    async delete(name) {
      return kept.delete(name);
    },
    lasts: async () => true,
  };
}

test("with store auto a sign-in keeps its place until the next sign-in, and the keyring is asked only then", async () => {
  using folder = ownFolder();
  const { context, log } = oauthInside(folder.path, {
    url: resource.url,
    auth: { type: "oauth", store: "auto" },
  });
  const { server, redactor } = context;
  const works = { now: false };
  const keyring = fakeKeyring(works);
  const store = new CredentialStore(server, { keyring: () => keyring, log, redactor });
  const stored = await store.read();
  await store.writeNew(stored);
  expect([store.place(), keyring.calls]).toEqual(["file", ["probe"]]);
  works.now = true;
  await store.write(stored);
  await store.update((now) => ({ ...now, declinedAt: 1 }));
  expect([store.place(), keyring.calls]).toEqual(["file", ["probe"]]);
  await store.writeNew(stored);
  expect([store.place(), keyring.calls]).toEqual(["keyring", ["probe", "probe", "set"]]);
  await store.write(stored);
  expect([store.place(), keyring.calls.at(-1)]).toEqual(["keyring", "set"]);
  works.now = false;
  await store.writeNew(stored);
  expect(store.place()).toBe("file");
  expect(JSON.stringify(await store.read())).not.toContain("keyring");
});

test("with a keyring the file holds the owner of the sign-in, and no secret", async () => {
  using folder = ownFolder();
  const { home, grant } = await ended(folder.path);
  const entry = { url: resource.url, auth: { type: "oauth", store: "keyring" } };
  const { context, log, store: inFile } = oauthInside(folder.path, entry);
  const { server, redactor } = context;
  const keyring = fakeKeyring({ now: true });
  const store = new CredentialStore(server, { keyring: () => keyring, log, redactor });
  const stored = await inFile.read();
  await store.locked(() => store.writeNew(stored));
  const text = JSON.stringify(await home.stored());
  expect(text).not.toContain(grant.accessToken);
  expect(storedGrantOwner(server)).toBe(JSON.stringify(grantOwnerOf(grant)));
  expect(await store.read()).toEqual(stored);
});

test("a sign-in in the keyring is deleted once the next one is stored in the file", async () => {
  using folder = ownFolder();
  const keyring = fakeKeyring({ now: true });
  const open = (store: string) => {
    const { context, log } = oauthInside(folder.path, {
      url: resource.url,
      auth: { type: "oauth", store },
    });
    const { server, redactor } = context;
    return new CredentialStore(server, { keyring: () => keyring, log, redactor });
  };
  const before = open("keyring");
  await before.writeNew(await before.read());
  const after = open("file");
  await after.write(await after.read());
  expect(after.place()).toBe("keyring");
  await after.writeNew(await after.read());
  expect(after.place()).toBe("file");
  const name = `${folder.path}/.codex-mcp-bridge/kb`;
  expect(await keyring.get(name)).toBeNull();
});

test("a sign-out tells that a locked keyring, which answers as an empty one, may still hold the sign-in", async () => {
  using folder = ownFolder();
  const keyring = fakeKeyring({ now: true });
  const entry = { url: resource.url, auth: { type: "oauth", store: "keyring" } };
  const { context } = oauthInside(folder.path, entry);
  const log = memoryLog();
  const { server, redactor } = context;
  const store = new CredentialStore(server, { keyring: () => keyring, log, redactor });
  await store.writeNew(await store.read());
  await store.forget();
  expect(log.events).toEqual([]);
  await store.writeNew(await store.read());
  keyring.delete = async () => false;
  await store.forget();
  expect(log.events).toEqual([expect.stringContaining("the keyring may still hold the sign-in")]);
});

/** The stores of `kb` and of its new name `crm`, with a sign-in in the keyring under the old name. */
async function renaming(folder: string) {
  const works = { now: true };
  const keyring = fakeKeyring(works);
  const entry = { url: resource.url, auth: { type: "oauth", store: "keyring" } };
  const { context, log } = oauthInside(folder, entry);
  const { server, redactor } = context;
  const root = `${folder}/.codex-mcp-bridge`;
  const renamed = { ...server, name: "crm", state: stateOf(server.state.root, "crm") };
  const deps = { keyring: () => keyring, log, redactor };
  const [from, to] = [new CredentialStore(server, deps), new CredentialStore(renamed, deps)];
  const stored = { ...(await from.read()), wantedScope: "more" };
  await from.writeNew(stored);
  return { works, keyring, from, to, stored, root };
}

test("a copy of a sign-in for a new name stands in the keyring, too, and lacks nothing", async () => {
  using folder = ownFolder();
  const { from, to, stored } = await renaming(folder.path);
  await from.copyTo(to);
  expect([from.place(), to.place()]).toEqual(["keyring", "keyring"]);
  expect(await to.read()).toEqual({ ...stored, server: "crm" });
  expect(await from.read()).toEqual(stored);
});

test("a copy of a sign-in of another origin keeps it for that origin", async () => {
  using folder = ownFolder();
  const { from, to, stored, root } = await renaming(folder.path);
  await from.writeNew({ ...stored, origin: "https://elsewhere.example" });
  await from.copyTo(to);
  expect((await Bun.file(`${root}/credentials/crm.json`).json()).origin).toBe(
    "https://elsewhere.example",
  );
});

test("a keyring that fails in the middle of a copy leaves the sign-in, and nothing under the new name", async () => {
  using folder = ownFolder();
  const { works, keyring, from, to, stored, root } = await renaming(folder.path);
  works.now = false;
  expect(from.copyTo(to)).rejects.toThrow("the keyring cannot be used");
  works.now = true;
  const { set } = keyring;
  keyring.set = async (name, secret) => {
    await set(name, secret);
    // The file that points to the secret cannot be written.
    mkdirSync(`${root}/credentials/crm.json`);
  };
  expect(await from.copyTo(to).catch((error) => error)).toBeInstanceOf(BridgeError);
  expect(keyring.calls.at(-1)).toBe("set");
  rmdirSync(`${root}/credentials/crm.json`);
  expect(to.place()).toBeUndefined();
  expect(await keyring.get(`${root}/crm`)).toBeNull();
  expect(await from.read()).toEqual(stored);
});

test("a sign-in of one client metadata document is not used for another", () => {
  using folder = ownFolder();
  const one = "https://client.example/one.json";
  const { server } = oauthInside(folder.path, {
    url: "https://kb.example/mcp",
    auth: { type: "oauth", clientMetadataUrl: "https://client.example/two.json" },
  }).context;
  const grant = (source: "metadata" | "registered", id: string) =>
    belongsTo(
      {
        version: 1,
        server: "kb",
        origin: "https://kb.example",
        grant: {
          issuer: "https://as.example",
          client: { id, method: "none", source },
          tokenEndpoint: "https://as.example/token",
          accessToken: "access",
          tokenType: "Bearer",
          obtainedAt: 0,
        },
      },
      server,
    );
  expect(grant("metadata", one)).toBe(false);
  expect(grant("metadata", "https://client.example/two.json")).toBe(true);
  expect(grant("registered", "r-1")).toBe(true);
});
