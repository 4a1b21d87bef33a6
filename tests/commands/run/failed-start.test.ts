import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../../support/folder.ts";
import { listing, listingServer } from "../../support/listing-server.ts";
import { bridgeHome } from "../../support/oauth-bridge.ts";
import { type ClientProcess, startClient } from "../../support/oauth-client.ts";

async function initialize(client: ClientProcess, name: string) {
  const clientInfo = { name, version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const answer = await client.request("initialize", params);
  client.notify("notifications/initialized");
  return answer;
}

const names = (list: { result: { tools: { name: string }[] } }) =>
  list.result.tools.map(({ name }) => name);
const message = 'server "kb" is not configured';

test("a start that fails for its configuration has one exit code, whatever the client gets", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {});
  await home.configure({ other: { url: "https://other.example/mcp" } });
  for (const [name, words, isTool] of [
    ["claude-code", [], true],
    ["opencode", [], false],
    ["opencode", ["--on-failure", "tool"], true],
    ["claude-code", ["--on-failure", "error"], false],
  ] as const) {
    const client = startClient(home, { words });
    const { error, result } = await initialize(client, name);
    expect(JSON.stringify(isTool ? result.instructions : error.message)).toContain("kb");
    const list = await client.request("tools/list");
    expect(isTool ? names(list) : list.error.code).toEqual(isTool ? ["kb_problem"] : 1400);
    expect(await client.end()).toBe(3);
  }
});

test("a wrong option is an error or a tool as --on-failure says, and exits with 2", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {});
  for (const [words, isTool] of [
    [[], true],
    [["--on-failure", "error"], false],
    [["--on-failure=error"], false],
  ] as const) {
    const client = startClient(home, { words: ["--sirver", "kb", ...words] });
    const { error, result } = await initialize(client, "codex-mcp-client");
    expect(isTool ? result.instructions : error.message).toContain("unknown option --sirver");
    expect(await client.end()).toBe(2);
  }
});

test("once the configuration is mended, the tool's call makes the start again, and the server's tools are there", async () => {
  using folder = ownFolder();
  await using server = listingServer(listing());
  const home = await bridgeHome(folder.path, {});
  await home.configure({ other: { url: server.url } });
  const client = startClient(home);
  const { result } = await initialize(client, "claude-code");
  expect(result.instructions).toContain(message);
  expect(names(await client.request("tools/list"))).toEqual(["kb_problem"]);
  const call = { name: "kb_problem", arguments: {} };
  expect((await client.request("tools/call", call)).result).toMatchObject({
    isError: true,
    _meta: { "codex-mcp-http-bridge/error": { kind: "configuration", code: 1400 } },
  });
  await home.configure({ kb: { url: server.url } });
  expect((await client.request("tools/call", call)).result.isError).toBeUndefined();
  expect(names(await client.request("tools/list"))).toContain("look");
  expect(client.notified.map(({ method }) => method)).toContain("notifications/tools/list_changed");
  expect(await client.end()).toBe(0);
});

test.each<[command: readonly string[], config: string, words: string]>([
  [["run", "--all"], '{"version":1,"servers":{"kb":', "config.json"],
  [["run", "--all"], '{"version":1,"servers":{}}', "no server"],
  [
    ["run", "--server", "kb", "--server", "two"],
    '{"version":1,"servers":{"other":{"url":"https://other.example/mcp"}}}',
    message,
  ],
])("a combined start makes the start again, too: %j with %s", async (command, config, words) => {
  using folder = ownFolder();
  await using server = listingServer(listing());
  const home = await bridgeHome(folder.path, {});
  writeFileSync(join(folder.path, ".codex-mcp-bridge", "config.json"), config, { mode: 0o600 });
  const client = startClient(home, { command });
  const { result } = await initialize(client, "claude-code");
  expect(result.instructions).toContain(words);
  expect(names(await client.request("tools/list"))).toEqual(["bridge_problem"]);
  const call = { name: "bridge_problem", arguments: {} };
  expect((await client.request("tools/call", call)).result.isError).toBe(true);
  await home.configure({ kb: { url: server.url }, two: { url: server.url } });
  const mended = (await client.request("tools/call", call)).result;
  expect(mended.isError).toBeUndefined();
  await client.noted("notifications/tools/list_changed");
  expect(names(await client.request("tools/list"))).toEqual(["kb__look", "two__look"]);
  const { content } = (await client.request("tools/call", { name: "two__look" })).result;
  expect(content).toEqual([]);
  expect(await client.end()).toBe(0);
});
