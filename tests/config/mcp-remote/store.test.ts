import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { foreignSignInOf, foreignTokenOf } from "../../../src/config/mcp-remote/store.ts";
import { readWords, storeKeyOf } from "../../../src/config/mcp-remote/words.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const url = "https://h.example/mcp";
const now = 1_800_000_000_000;
const hour = 3_600_000;
const keyOf = (...args: string[]) => storeKeyOf(url, readWords([url, ...args]), new Map());
const urlKey = keyOf();

/** A store with files of these names and contents, and what is read of it. */
function store(files: Readonly<Record<string, object | string>>, inHome = false) {
  const folder = mkdtempSync(join(tmpdir(), "mcp-auth-"));
  folders.push(folder);
  const root = inHome ? join(folder, ".mcp-auth") : folder;
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    utimesSync(path, now / 1000, now / 1000);
  }
  const env = inHome ? { HOME: folder } : { HOME: "/nowhere", MCP_REMOTE_CONFIG_DIR: folder };
  const read = (key = urlKey, at = now) => foreignTokenOf(key, url, env, at);
  return Object.assign(read, { whole: (key = urlKey) => foreignSignInOf(key, url, env) });
}

const good = { access_token: "good", token_type: "Bearer", expires_at: now + hour };
const old = { access_token: "old", expires_in: 3600 };

describe("a sign-in in mcp-remote's own store", () => {
  test.each([
    ["the current layout", `mcp-remote-v1/${urlKey}_tokens.json`],
    ["a folder for each version", `mcp-remote-0.1.38/${urlKey}_tokens.json`],
    ["the folder itself", `${urlKey}_tokens.json`],
  ])("is found in %s, in the home and in MCP_REMOTE_CONFIG_DIR", (_, name) => {
    for (const inHome of [true, false])
      expect(store({ [name]: good }, inHome)()).toEqual({
        accessToken: "good",
        expiresAt: now + hour,
      });
  });

  test("belongs to the same options: another resource has another one", () => {
    const key = keyOf("--resource", "https://r.example/");
    const read = store({ [`mcp-remote-v1/${urlKey}_tokens.json`]: good });
    expect([read()?.accessToken, read(key)]).toEqual(["good", undefined]);
    expect(store({ [`mcp-remote-v1/${key}_tokens.json`]: good })(key)?.accessToken).toBe("good");
  });

  test("is looked for by the URL alone in the layouts whose key that was", () => {
    const key = keyOf("--resource", "https://r.example/");
    expect(store({ [`mcp-remote-0.1.9/${urlKey}_tokens.json`]: good })(key)?.accessToken).toBe(
      "good",
    );
  });

  test("of the newest version counts, and an expired one does not hide an older one", () => {
    const read = store({
      [`mcp-remote-0.1.9/${urlKey}_tokens.json`]: {
        ...good,
        access_token: "of 0.1.9".replace(" ", "-"),
      },
      [`mcp-remote-0.1.38/${urlKey}_tokens.json`]: good,
    });
    expect(read()?.accessToken).toBe("good");
    const mixed = store({
      [`mcp-remote-v1/${urlKey}_tokens.json`]: { ...good, expires_at: now - 1 },
      [`${urlKey}_tokens.json`]: { ...good, access_token: "older" },
    });
    expect(mixed()?.accessToken).toBe("older");
  });

  test("is not used once its access token expires, although it has a refresh token", () => {
    const read = store({
      [`mcp-remote-v1/${urlKey}_tokens.json`]: { ...good, refresh_token: "refresh-canary" },
    });
    expect(read(urlKey, now + hour - 61_000)).toEqual({
      accessToken: "good",
      expiresAt: now + hour,
    });
    expect(read(urlKey, now + hour - 59_000)).toBeUndefined();
    expect(JSON.stringify(read())).not.toContain("canary");
  });

  test("without an instant expires after its lifetime from the writing of the file; without a lifetime never", () => {
    const read = store({ [`${urlKey}_tokens.json`]: old });
    expect(read()?.expiresAt).toBe(now + hour);
    expect(read(urlKey, now + hour)).toBeUndefined();
    const endless = store({ [`${urlKey}_tokens.json`]: { access_token: "x" } });
    expect(endless(urlKey, now + 1000 * hour)?.accessToken).toBe("x");
  });

  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no token", { token_type: "Bearer" }],
    ["a token of another type", { ...good, token_type: "DPoP" }],
    ["a token with a line break", { ...good, access_token: "a\r\nX: y" }],
    ["a token that is no text", { ...good, access_token: 1 }],
  ])("with %s is passed over", (_, content) => {
    expect(store({ [`mcp-remote-v1/${urlKey}_tokens.json`]: content })()).toBeUndefined();
  });

  test("may be missing altogether", () => {
    expect(store({})()).toBeUndefined();
  });

  test("is read as a whole, with its client, where it can be renewed, although its access token has expired", () => {
    const { whole } = store({
      [`mcp-remote-v1/${urlKey}_tokens.json`]: {
        ...good,
        expires_at: 1,
        refresh_token: "refresh",
        issuer: "https://a.example",
      },
      [`mcp-remote-v1/${urlKey}_client_info.json`]: {
        client_id: "id",
        client_secret: "s",
        redirect_uris: ["http://localhost:1/cb"],
      },
    });
    expect(whole()).toEqual({
      accessToken: "good",
      refreshToken: "refresh",
      expiresAt: 1,
      scope: "",
      issuer: "https://a.example",
      client: { id: "id", secret: "s", redirectUri: "http://localhost:1/cb" },
    });
    expect(store({ [`mcp-remote-v1/${urlKey}_tokens.json`]: good }).whole()).toBeUndefined();
  });
});
