import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SetupValues } from "../../../src/commands/setup/flags.ts";
import { configureAdHoc } from "../../../src/commands/setup/from-ad-hoc.ts";
import { command } from "../../../src/commands/setup/setup.ts";
import { adHocSettings, findServer, rememberAdHoc } from "../../../src/config/ad-hoc.ts";
import type { ServerEntry } from "../../../src/config/schema.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";

const url = "https://mcp.example.com/mcp";
const grant = {
  issuer: "https://auth.example.com",
  client: { id: "id", method: "none", source: "registered" },
  tokenEndpoint: "https://auth.example.com/token",
  accessToken: "access-1",
  refreshToken: "refresh-1",
  tokenType: "Bearer",
  obtainedAt: 1,
};

/** A home in which a client has started `entry` by its URL, with a stored sign-in. */
function home(folder: string, entry: ServerEntry) {
  const context = testContext({ env: { CODEX_MCP_BRIDGE_HOME: join(folder, "home") } });
  const settings = adHocSettings(entry, context.paths());
  rememberAdHoc(settings, entry);
  const credentials = join(settings.state.root, "credentials");
  mkdirSync(credentials, { mode: 0o700 });
  const stored = { version: 1, server: settings.name, origin: new URL(url).origin, grant };
  writeFileSync(join(credentials, `${settings.name}.json`), JSON.stringify(stored), {
    mode: 0o600,
  });
  return { context, settings };
}

describe("setup --from", () => {
  test("makes a configured server of an ad hoc one; its sign-in comes along and is left nowhere else", async () => {
    using folder = ownFolder();
    const entry: ServerEntry = { url, headers: { "X-Team": "blue" } };
    const { context, settings } = home(folder.path, entry);
    await configureAdHoc("crm", url, context);
    const { configFile, home: root } = context.paths();
    expect(JSON.parse(readFileSync(configFile, "utf8")).servers).toEqual({ crm: entry });
    const stored = JSON.parse(readFileSync(join(root, "credentials/crm.json"), "utf8"));
    expect(stored).toMatchObject({ server: "crm", grant });
    expect(existsSync(settings.state.root)).toBe(false);
    expect((await findServer(context.paths(), "crm")).adHoc).toBeUndefined();
    expect(context.printed).toContain("codex-config --server crm --write");
  });

  test("another option beside --from is an error, not ignored", async () => {
    using folder = ownFolder();
    const { context } = home(folder.path, { url });
    const values = { server: "crm", from: url, "token-env": "VAR" } as SetupValues;
    await expect(command.run(values, context)).rejects.toThrow("--token-env exclude each other");
  });

  test.each<[string, ServerEntry, string, string]>([
    [
      "an entry whose secret only the client has",
      { url, headers: { Authorization: "Bearer secret" } },
      "crm",
      "stands in the client's entry alone",
    ],
    ["a name that is not allowed", { url }, "c r m", "expected a name"],
    ["a name that is taken", { url }, "taken", 'there is a server "taken" already'],
  ])("%s is refused, and nothing changes", async (_, entry, name, message) => {
    using folder = ownFolder();
    const { context, settings } = home(folder.path, entry);
    const { configFile } = context.paths();
    const text = JSON.stringify({ version: 1, servers: { taken: { url: "https://x.example/" } } });
    writeFileSync(configFile, text, { mode: 0o600 });
    await expect(configureAdHoc(name, settings.name, context)).rejects.toThrow(message);
    expect(readFileSync(configFile, "utf8")).toBe(text);
    expect(existsSync(join(settings.state.root, "server.json"))).toBe(true);
  });
});
