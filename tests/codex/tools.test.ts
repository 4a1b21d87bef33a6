import { expect, test } from "bun:test";
import { lyingServer } from "../support/lying-server.ts";
import {
  acceptedEntries,
  acceptedInitializes,
  fatalEntries,
  fatalInitializes,
  fatalPages,
  goodTool,
} from "../support/strict-tools.ts";
import { Home, offline } from "./support/codex.ts";
import { scriptedModel } from "./support/model.ts";
import { exec } from "./support/trip.ts";

/** Whether Codex, without the bridge, shows the good tool of each server. */
async function shownByCodex(
  servers: readonly Parameters<typeof lyingServer>[0][],
): Promise<boolean[]> {
  await using stack = new AsyncDisposableStack();
  await using model = scriptedModel([]);
  // Codex is to wait for every server before its first request.
  const blocks = ["mcp_optional_startup_grace_ms = 60000", offline(model.url)];
  for (const [at, results] of servers.entries()) {
    const server = stack.use(lyingServer(results));
    blocks.push(`[mcp_servers.s${at}]\nurl = "${server.url}"\n`);
  }
  using home = new Home(blocks.join("\n"));
  expect((await exec(home)).code).toBe(0);
  return servers.map((_, at) => model.requests[0]!.offered.includes(`mcp__s${at}/good`));
}

const beside = (entry: unknown) => ({ tools: [goodTool, entry] });

test("Codex drops every list that `test` says it drops, and no other", async () => {
  const endless = { tools: [goodTool], nextCursor: "again" };
  const pages = fatalPages.map(([, page]) => page);
  const fatal = [...fatalEntries.map(([, entry]) => beside(entry)), endless, ...pages];
  const accepted = [...acceptedEntries.map(beside), beside(goodTool)];
  const lists = [...fatal, ...accepted].map((list) => ({ "tools/list": list }));
  const shown = await shownByCodex(lists);
  expect(shown).toEqual([...fatal.map(() => false), ...accepted.map(() => true)]);
});

test("Codex refuses every answer to initialize that `test` says it refuses, and no other", async () => {
  const answers = [...fatalInitializes.map(([, answer]) => answer), ...acceptedInitializes];
  const list = { tools: [goodTool] };
  const shown = await shownByCodex(
    answers.map((initialize) => ({ initialize, "tools/list": list })),
  );
  expect(shown).toEqual([
    ...fatalInitializes.map(() => false),
    ...acceptedInitializes.map(() => true),
  ]);
});
