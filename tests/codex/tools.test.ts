import { expect, test } from "bun:test";
import { lyingServer } from "../support/lying-server.ts";
import { acceptedEntries, fatalEntries, goodTool } from "../support/strict-tools.ts";
import { Home, offline } from "./support/codex.ts";
import { scriptedModel } from "./support/model.ts";
import { exec } from "./support/trip.ts";

/** Whether Codex, without the bridge, shows the good tool that each list holds beside other entries. */
async function shownByCodex(lists: readonly object[]): Promise<boolean[]> {
  await using stack = new AsyncDisposableStack();
  await using model = scriptedModel([]);
  // Codex is to wait for every server before its first request.
  const blocks = ["mcp_optional_startup_grace_ms = 60000", offline(model.url)];
  for (const [at, list] of lists.entries()) {
    const server = stack.use(lyingServer({ "tools/list": list }));
    blocks.push(`[mcp_servers.s${at}]\nurl = "${server.url}"\n`);
  }
  using home = new Home(blocks.join("\n"));
  expect((await exec(home)).code).toBe(0);
  return lists.map((_, at) => model.requests[0]!.offered.includes(`mcp__s${at}/good`));
}

const beside = (entry: unknown) => ({ tools: [goodTool, entry] });

test("Codex drops every list that toolProblems() says it drops, and no other", async () => {
  const endless = { tools: [goodTool], nextCursor: "again" };
  const fatal = [...fatalEntries.map(([, entry]) => beside(entry)), endless];
  const accepted = [...acceptedEntries.map(beside), beside(goodTool)];
  const shown = await shownByCodex([...fatal, ...accepted]);
  expect(shown).toEqual([...fatal.map(() => false), ...accepted.map(() => true)]);
});
