import { afterEach, describe, expect, test } from "bun:test";
import { command as exportCommand } from "../../src/commands/export.ts";
import { command as importCommand } from "../../src/commands/import/import.ts";
import { stateOf } from "../../src/platform/paths.ts";
import { readApproved, writeApproved } from "../../src/upstream/tools/approvals.ts";
import { removeUsers, user } from "./import/import-user.ts";

afterEach(removeUsers);

const servers = {
  kb: { url: "https://kb.example/mcp", token: "canary-token", description: "Knowledge" },
  crm: {
    url: "https://crm.example/mcp?team=blue&api_key=canarykey1",
    transport: "http",
    headers: { "X-Team": "blue", "X-Api-Key": "canary-key-1", "X-Ref": "${REF}" },
    timeoutSec: 30,
    tools: { allow: ["get_*"], deny: ["*_all"] },
  },
  app: {
    url: "https://app.example/mcp",
    auth: { type: "oauth", clientId: "id", clientSecret: "canary-secret", scopes: ["a"] },
  },
  file: { url: "https://file.example/mcp", tokenFile: "/run/token" },
  first: {
    url: "https://first.example/mcp",
    auth: { type: "oauth", initialAccessToken: "canary-initial", trustedHosts: ["in.example"] },
  },
  open: {
    url: "https://open.example/mcp",
    tools: { deny: ["*_delete"] },
    codex: { approval: "approve", required: true },
  },
};

describe("export", () => {
  test("withholds short keys and the defaults of variables, too", async () => {
    const { run } = user({
      kb: {
        url: "https://kb.example/mcp?key=abc&k=${K:-canary-1234567890}",
        headers: { "X-Api-Key": "abc", Authorization: "Bearer ${T:-canary}", "X-Ref": "${R:-abc}" },
      },
    });
    const { out } = await run(exportCommand);
    expect(JSON.parse(out).servers.kb).toEqual({
      url: "https://kb.example/mcp?key=${KB_KEY}&k=${KB_K}",
      headers: {
        "X-Api-Key": "${KB_X_API_KEY}",
        Authorization: "${KB_AUTHORIZATION}",
        "X-Ref": "${R:-abc}",
      },
    });
  });

  test("prints everything but secrets, each the name of a variable", async () => {
    const { run } = user(servers);
    const { out, notes } = await run(exportCommand);
    expect(out).not.toContain("canary");
    expect(JSON.parse(out)).toEqual({
      format: "codex-mcp-http-bridge/team",
      version: 1,
      servers: {
        kb: { url: "https://kb.example/mcp", description: "Knowledge", tokenEnv: "KB_TOKEN" },
        crm: {
          url: "https://crm.example/mcp?team=blue&api_key=${CRM_API_KEY}",
          transport: "http",
          headers: { "X-Team": "blue", "X-Api-Key": "${CRM_X_API_KEY}", "X-Ref": "${REF}" },
          timeoutSec: 30,
          tools: { allow: ["get_*"], deny: ["*_all"] },
        },
        app: {
          url: "https://app.example/mcp",
          auth: {
            type: "oauth",
            clientId: "id",
            scopes: ["a"],
            clientSecretEnv: "APP_CLIENT_SECRET",
          },
        },
        file: { url: "https://file.example/mcp", tokenEnv: "FILE_TOKEN" },
        first: { url: "https://first.example/mcp", auth: { type: "oauth" } },
        open: {
          url: "https://open.example/mcp",
          tools: { deny: ["*_delete"] },
          codex: { required: true },
        },
      },
    });
    expect(notes).toContain('"crm" needs CRM_API_KEY, CRM_X_API_KEY');
    expect(notes.some((note) => note.startsWith('warning: server "file": its tokenFile'))).toBe(
      true,
    );
  });

  test("what it prints, import takes: the same servers, and what is missing is named", async () => {
    const sender = user(servers);
    const { out } = await sender.run(
      exportCommand,
      "--server",
      "KB",
      "--server",
      "app",
      "--server",
      "open",
    );
    const { put, run, servers: saved } = user();
    const result = JSON.parse(
      (await run(importCommand, put("team.json", out), "--all", "--json")).out,
    );
    expect(result.found.map(({ missing }: { missing: object[] }) => missing)).toEqual([
      [{ variable: "KB_TOKEN", label: "KB_TOKEN" }],
      [{ variable: "APP_CLIENT_SECRET", label: "APP_CLIENT_SECRET" }],
      [],
    ]);
    expect(saved()).toEqual({
      kb: { url: servers.kb.url, description: "Knowledge", tokenEnv: "KB_TOKEN" },
      app: {
        url: servers.app.url,
        auth: {
          type: "oauth",
          clientId: "id",
          scopes: ["a"],
          clientSecretEnv: "APP_CLIENT_SECRET",
        },
      },
      open: { url: servers.open.url, tools: servers.open.tools, codex: { required: true } },
    });
    const receiver = user(saved());
    expect(JSON.parse((await receiver.run(exportCommand)).out)).toEqual(JSON.parse(out));
  });

  test.each([
    [
      { url: "https://x.example/", tokenCommand: ["sh", "-c", "x"] },
      "must not contain tokenCommand",
    ],
    [{ url: "https://x.example/", headersCommand: ["x"] }, "must not contain headersCommand"],
    [{ url: "https://x.example/", tokenFile: "/etc/passwd" }, "must not contain tokenFile"],
    [
      { url: "https://x.example/", auth: { type: "oauth", assertionCommand: ["x"] } },
      "must not contain auth.assertionCommand",
    ],
    ...[
      { idp: { idTokenCommand: ["sh", "-c", "x"] } },
      { trustedHosts: ["169.254.169.254"] },
      { initialAccessToken: "${TOKEN_OF_ANOTHER_SERVICE}" },
      { privateKeyFile: "/home/user/.ssh/id_ed25519" },
      { tokenParams: { a: "b" } },
    ].map((setting): [object, string] => [
      { url: "https://x.example/", auth: { type: "oauth", ...setting } },
      `must not contain auth.${Object.keys(setting)[0]}`,
    ]),
    ...[{ caFile: "/tmp/ca.pem" }, { proxy: "http://p.example:8080" }].map(
      (network): [object, string] => [
        { url: "https://x.example/", network },
        `must not contain network.${Object.keys(network)[0]}`,
      ],
    ),
    [
      { url: "https://x.example/", codex: { approval: "approve", required: true } },
      "must not contain codex.approval",
    ],
    [{ url: "http://x.example/" }, "http is unencrypted"],
    [{ url: "https://x.example/", surprise: 1 }, "unknown key"],
    [{}, "it has no url"],
    [1, "it is not a JSON object"],
  ])("a team file with %p has no effect", async (entry, reason) => {
    const { put, run } = user();
    const text = JSON.stringify({
      format: "codex-mcp-http-bridge/team",
      version: 1,
      servers: { x: entry },
    });
    const { out } = await run(importCommand, put("team.json", text), "--all", "--json");
    const [row] = JSON.parse(out).found;
    expect([row.status, row.reason.includes(reason)]).toEqual(["refused", true]);
    expect(JSON.parse(out).saved).toEqual([]);
  });

  test("a team file of version 2 is refused", async () => {
    const { put, run } = user();
    const text = JSON.stringify({
      ...{ format: "codex-mcp-http-bridge/team", version: 2 },
      servers: { x: { url: "https://x.example/" } },
    });
    const { out } = await run(importCommand, put("team.json", text), "--all", "--json");
    expect(JSON.parse(out).found[0].reason).toContain("version of the team file is not 1");
  });
});

describe("the approvals of a pinned server", () => {
  const url = "https://kb.example/mcp";
  const hash = "a".repeat(64);
  const origin = "https://kb.example";

  /** A team file of a server whose tool `get` is approved. */
  async function exported(pin: boolean | "terminal"): Promise<string> {
    const sender = user({ kb: { url, tools: { pin } } });
    const [approved] = [{ name: "get", hash, at: "2026-01-01T00:00:00Z", by: "somebody" }];
    writeApproved(stateOf(`${sender.home}/.codex-mcp-bridge`, "kb"), origin, [approved]);
    return (await sender.run(exportCommand)).out;
  }

  test("go into the team file as hashes, and out of it", async () => {
    const out = await exported(true);
    expect(JSON.parse(out).servers.kb.approved).toEqual([{ name: "get", hash }]);
    const receiver = user();
    const { out: result } = await receiver.run(
      importCommand,
      receiver.put("t.json", out),
      "--all",
      "--json",
    );
    expect(JSON.parse(result).found[0].notes).toEqual(["its team approved these tools: get"]);
    const approved = readApproved(stateOf(`${receiver.home}/.codex-mcp-bridge`, "kb"), origin);
    expect([...approved!.values()]).toMatchObject([
      { name: "get", hash, by: expect.stringContaining("from a team file") },
    ]);
    expect(receiver.servers().kb).toEqual({ url, tools: { pin: true } });
  });

  test('are not taken over without a terminal where the rule is "terminal"', async () => {
    const receiver = user();
    const file = receiver.put("t.json", await exported("terminal"));
    const { notes } = await receiver.run(importCommand, file, "--all", "--json");
    expect(notes.join()).toContain("pin kb");
    expect(
      readApproved(stateOf(`${receiver.home}/.codex-mcp-bridge`, "kb"), origin),
    ).toBeUndefined();
  });

  test.each([
    [{}],
    [[{ name: "get" }]],
    [[{ name: "get", hash: "x" }]],
    [[{ name: "get", hash, x: 1 }]],
  ])("are refused as %j", async (approved) => {
    const { put, run } = user();
    const team = {
      format: "codex-mcp-http-bridge/team",
      version: 1,
      servers: { kb: { url, approved } },
    };
    const { out } = await run(
      importCommand,
      put("t.json", JSON.stringify(team)),
      "--all",
      "--dry-run",
      "--json",
    );
    expect(JSON.parse(out).found[0].reason).toContain("approved: expected a list of tools");
  });
});
