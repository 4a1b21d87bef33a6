import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../../support/folder.ts";
import { runInProcess } from "../../support/in-process.ts";

const url = "https://crm.example.com/mcp";
const auth = { type: "oauth" };
let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** A grant as stored in credentials/crm.json. */
const grant = {
  issuer: "https://as.example.com",
  client: { id: "client", method: "none", source: "registered", secret: "canary-secret" },
  tokenEndpoint: "https://as.example.com/token",
  accessToken: "canary-access-token",
  refreshToken: "canary-refresh-token",
  tokenType: "Bearer",
  obtainedAt: Date.UTC(2026, 0, 2),
  expiresAt: Date.UTC(2026, 0, 3),
  account: "ada@example.com",
};

/** The output of `status` for one server with this config entry and stored credentials. */
async function status(entry: object, stored?: object, ...words: string[]): Promise<string> {
  const config = JSON.stringify({ servers: { crm: { url, ...entry } } });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
  if (stored !== undefined) {
    mkdirSync(join(folder.path, "credentials"), { mode: 0o700 });
    const kept = { version: 1, server: "crm", origin: "https://crm.example.com", ...stored };
    const file = join(folder.path, "credentials/crm.json");
    writeFileSync(file, JSON.stringify(kept), { mode: 0o600 });
  }
  const env = { CODEX_MCP_BRIDGE_HOME: folder.path };
  const { code, stdout, stderr } = await runInProcess(["status", ...words], env);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).not.toContain("canary");
  return stdout.replaceAll(folder.path, "HOME");
}

const { refreshToken: _, ...grantWithoutRefresh } = grant;
const login = "codex-mcp-http-bridge login --server crm";

type Case = [what: string, entry: object, stored: object | undefined, lines: string];

test.each<Case>([
  [
    "a sign-in",
    { auth },
    { grant },
    "  OAuth (authorization_code)\n  signed in as ada@example.com at https://as.example.com, access token issued 2026-01-02T00:00:00.000Z, expires 2026-01-03T00:00:00.000Z (refreshed without you), kept in HOME/credentials/crm.json\n",
  ],
  [
    "a server without a sign-in",
    { auth },
    undefined,
    `  OAuth (authorization_code)\n  not signed in; run ${login}\n`,
  ],
  [
    "an expired sign-in",
    { auth },
    { grant: grantWithoutRefresh },
    `  OAuth (authorization_code)\n  the sign-in expired 2026-01-03T00:00:00.000Z; run ${login}\n`,
  ],
  [
    "a sign-in that was exported to another machine",
    { auth },
    { grant, movedAt: 1 },
    `  OAuth (authorization_code)\n  moved to another machine; run ${login}\n`,
  ],
  [
    "a sign-in stored for another origin",
    { auth },
    { grant, origin: "https://other.example.com" },
    `  OAuth (authorization_code)\n  not signed in; run ${login}\n`,
  ],
  [
    "a credentials file of an unknown version",
    { auth },
    { version: 7 },
    "  OAuth (authorization_code)\n  HOME/credentials/crm.json is not a sign-in of this version\n",
  ],
  ...[1e20, -1, "soon", null].map(
    (expiresAt): Case => [
      `a sign-in that expires at ${expiresAt}`,
      { auth },
      { grant: { ...grant, expiresAt } },
      "  OAuth (authorization_code)\n  HOME/credentials/crm.json is not a sign-in of this version\n",
    ],
  ),
  [
    "a grant that needs no user",
    { auth: { ...auth, grant: "client_credentials", clientId: "c" } },
    undefined,
    "  OAuth (client_credentials)\n  signs in without you when a token is needed\n",
  ],
  [
    "a server without a configured credential",
    {},
    undefined,
    "  no credential configured: OAuth, if the server asks for it\n",
  ],
])("status shows %s", async (_what, entry, stored, lines) => {
  expect(await status(entry, stored)).toBe(`crm  ${url}\n${lines}`);
});

test("status --json has a field for each fact of a sign-in", async () => {
  const { servers } = JSON.parse(await status({}, { grant }, "--json"));
  expect(servers[0].signIn).toEqual({
    state: "signed-in",
    store: "file",
    issuer: "https://as.example.com",
    account: "ada@example.com",
    expiresAt: "2026-01-03T00:00:00.000Z",
    renews: true,
    renewedAt: "2026-01-02T00:00:00.000Z",
  });
});
