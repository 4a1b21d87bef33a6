import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adHocServers,
  adHocSettings,
  findServer,
  rememberAdHoc,
  removeAdHoc,
} from "../../src/config/ad-hoc.ts";
import { requireNamedVariables } from "../../src/config/requirements.ts";
import type { ServerEntry } from "../../src/config/schema.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { BridgeError } from "../../src/wire/errors.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** The paths of a home of its own. */
function newPaths() {
  const folder = mkdtempSync(join(tmpdir(), "ad-hoc-"));
  folders.push(folder);
  return homeOf({ CODEX_MCP_BRIDGE_HOME: join(folder, "home") });
}

const url = "https://mcp.example.com/mcp";
const remember = (entry: ServerEntry, paths = newPaths()) => {
  const settings = adHocSettings(entry, paths);
  rememberAdHoc(settings, entry);
  return { settings, paths, text: readFileSync(join(settings.state.root, "server.json"), "utf8") };
};

describe("the state of a server that a client names by URL", () => {
  test("has a folder of its own in the home, called after host and hash", () => {
    const paths = newPaths();
    const { name, state } = adHocSettings({ url }, paths);
    expect(state.root).toMatch(/\/home\/adhoc\/mcp\.example\.com-[0-9a-f]{12}$/);
    expect(name).toMatch(/^mcp-example-com-[0-9a-f]{12}$/);
  });

  test.each<[string, ServerEntry]>([
    ["another path", { url: "https://mcp.example.com/other" }],
    ["another query", { url: `${url}?team=a` }],
    ["a resource", { url, auth: { type: "oauth", resource: "https://a.example/" } }],
    ["no resource", { url, auth: { type: "oauth", resource: false } }],
    ["a header", { url, headers: { "X-Team": "a" } }],
    ["another header", { url, headers: { "X-Other": "a" } }],
    ["a client id", { url, auth: { type: "oauth", clientId: "a" } }],
    ["another client id", { url, auth: { type: "oauth", clientId: "b" } }],
  ])("%s makes another folder", (_, entry) => {
    const paths = newPaths();
    const others = [
      { url },
      { url: "https://mcp.example.com/other" },
      { url: `${url}?team=a` },
      { url, auth: { type: "oauth" as const, resource: "https://a.example/" } },
      { url, auth: { type: "oauth" as const, resource: false as const } },
      { url, headers: { "X-Team": "a" } },
      { url, headers: { "X-Other": "a" } },
      { url, auth: { type: "oauth" as const, clientId: "a" } },
      { url, auth: { type: "oauth" as const, clientId: "b" } },
    ].filter((other) => !Bun.deepEquals(other, entry));
    const own = adHocSettings(entry, paths).state.root;
    expect(others).toHaveLength(8);
    for (const other of others) expect(adHocSettings(other, paths).state.root).not.toBe(own);
  });

  test("the value of a header, its case, and the scopes make no other folder", () => {
    const paths = newPaths();
    const root = (entry: ServerEntry) => adHocSettings(entry, paths).state.root;
    const one = root({ url, headers: { "X-Team": "a", "X-Area": "b" } });
    expect(root({ url, headers: { "x-area": "c", "x-team": "d" } })).toBe(one);
    expect(root({ url, auth: { type: "oauth", scopes: ["a"] } })).toBe(root({ url }));
  });

  test.each([
    "https://[2001:db8::1]:8443/mcp",
    "https://x.xn--bcher-kva.example/",
    "https://a_b.example/",
  ])("%s gives names that file systems and the configuration accept", (text) => {
    const { name, state } = adHocSettings({ url: text }, newPaths());
    expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
    expect(state.root.split("/").at(-1)).toMatch(/^[\w.-]+$/);
  });
});

describe("server.json", () => {
  test("belongs to the user alone and holds no secret of the client's entry", () => {
    const { settings, text } = remember({
      url,
      headers: { "X-Api-Key": "s3cret", Cookie: "a=b", "X-Team": "blue", "X-Token": "${TOKEN}" },
      auth: { type: "oauth", clientId: "id", clientSecret: "client-s3cret" },
    });
    expect(text).not.toMatch(/s3cret|a=b/);
    expect(JSON.parse(text)).toMatchObject({
      entry: { url, headers: { "X-Team": "blue", "X-Token": "${TOKEN}" } },
      withheld: ["X-Api-Key", "Cookie", "auth.clientSecret"],
    });
    const file = join(settings.state.root, "server.json");
    expect([statSync(file).mode & 0o777, statSync(settings.state.root).mode & 0o777]).toEqual([
      0o600, 0o700,
    ]);
  });

  test("gives the server back, in its own folder, although a header is withheld", () => {
    const { settings, paths } = remember({ url, headers: { Authorization: "Bearer s3cret" } });
    const [found, ...others] = adHocServers(paths);
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      name: settings.name,
      state: settings.state,
      credential: { type: "none" },
      adHoc: { withheld: ["Authorization"] },
    });
    expect(() => requireNamedVariables(found!, {})).toThrow("stands in the client's entry alone");
  });

  test.each([
    "{}",
    "not JSON",
    '{"version":2}',
    '{"version":1,"name":"../x","entry":{"url":"file:///"},"withheld":[]}',
  ])("%s is passed over", async (content) => {
    const { settings, paths } = remember({ url });
    await Bun.write(join(settings.state.root, "server.json"), content);
    expect(adHocServers(paths)).toEqual([]);
  });
});

describe("a word in place of a server's name", () => {
  test("may be the URL, or the name that status shows", async () => {
    const { settings, paths } = remember({ url, headers: { "X-Team": "blue" } });
    expect(await findServer(paths, url)).toEqual(await findServer(paths, settings.name));
    expect((await findServer(paths, url)).headers).toEqual({ "X-Team": "blue" });
    expect((await findServer(paths, settings.name.toUpperCase())).name).toBe(settings.name);
  });

  test("a URL that no client has started gets its folder", async () => {
    const paths = newPaths();
    const { state } = await findServer(paths, url);
    expect(existsSync(join(state.root, "server.json"))).toBe(true);
    expect(await findServer(paths, url)).toMatchObject({ state });
  });

  test("a URL of several entries is refused with their names", async () => {
    const { settings, paths } = remember({ url });
    remember({ url, headers: { "X-Team": "blue" } }, paths);
    const error = await findServer(paths, url).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BridgeError);
    expect([error.kind, error.hintText((words: string) => words)]).toEqual([
      "usage",
      expect.stringContaining(settings.name),
    ]);
  });

  test("removing deletes the folder", () => {
    const { settings, paths } = remember({ url });
    removeAdHoc(settings);
    expect([existsSync(settings.state.root), adHocServers(paths)]).toEqual([false, []]);
  });
});
