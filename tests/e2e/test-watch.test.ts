import { expect, test } from "bun:test";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { bridgeHome, startProgram } from "../support/oauth-bridge.ts";
import { runProgram } from "../support/program.ts";

test("test --watch tests again until it is ended, and notices a server that comes back", async () => {
  using folder = ownFolder();
  const state = { ...listing(), status: 503 as number | undefined };
  await using server = listingServer(state);
  const home = await bridgeHome(folder.path, {
    url: server.url,
    auth: { type: "none" },
    retry: { attempts: 1 },
  });
  const watching = startProgram(["test", "kb", "--watch", "1"], home.env);
  await watching.seen(/✗ Server error/);
  state.status = undefined;
  await watching.seen(/All tests passed!/);
  watching.kill("SIGINT");
  expect((await watching.ended).stdout.match(/Testing connection/g)!.length).toBeGreaterThan(1);
}, 20_000);

test.each(["0", "x", "-1s"])("--watch %s is a usage error", async (value) => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: "https://kb.example/mcp" });
  expect((await runProgram(["test", "kb", `--watch=${value}`], { env: home.env })).code).toBe(2);
});
