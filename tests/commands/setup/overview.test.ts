import { afterEach, expect, test } from "bun:test";
import { overview } from "../../../src/commands/setup/overview.ts";
import { saveLastTest } from "../../../src/commands/test/last-test.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { homeOf } from "../../../src/platform/paths.ts";
import { memoryLog } from "../../support/client.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";

const opened: Disposable[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each[Symbol.dispose]();
});

test("one screen shows each server with its sign-in and its last test", async () => {
  const folder = ownFolder();
  opened.push(folder);
  const env = { CODEX_MCP_BRIDGE_HOME: folder.path };
  const url = "https://kb.example/mcp?key=canary";
  const servers = {
    kb: { url, token: "canary-token" },
    crm: { url, auth: { type: "oauth" } },
    open: { url, auth: { type: "none" }, disabled: true },
    plain: { url },
  };
  const config = await parseConfig(JSON.stringify({ version: 1, servers }), homeOf(env));
  const at = Date.parse("2026-01-02T03:04:05Z");
  const tested = (name: string) => config.servers.get(name)!;
  saveLastTest(tested("kb"), { at, tools: 3 }, memoryLog());
  saveLastTest(tested("crm"), { at, tools: 3 }, memoryLog());
  saveLastTest(tested("crm"), { at }, memoryLog());
  expect(await overview(config, testContext({ env }))).toBe(
    [
      "kb: kb.example, token, test passed with 3 tools 2026-01-02T03:04:05.000Z",
      "crm: kb.example, not signed in, test failed 2026-01-02T03:04:05.000Z",
      "open: kb.example, no sign-in, disabled, never tested",
      "plain: kb.example, no credential, never tested",
    ].join("\n"),
  );
});
