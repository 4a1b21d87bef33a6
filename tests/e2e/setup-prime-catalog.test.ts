import { expect, test } from "bun:test";
import { ownFolder } from "../support/folder.ts";
import { type Listing, listing, listingServer } from "../support/listing-server.ts";
import { runProgram } from "../support/program.ts";

const token = "a-token-of-some-length";

test("non-interactive setup stores the tools for Codex's first start silently", async () => {
  const state = listing();
  state.pages = [["look"], ["read"]];
  await using server = listingServer(state);
  using folder = ownFolder();
  const env = { HOME: folder.path };
  const words = ["setup", "--server", "kb", "--url", server.url, "--token-stdin"];
  const { code, stdout, stderr } = await runProgram(words, { env, stdin: token });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toEndWith("restart Codex\n");
  const status = await runProgram(["status"], { env });
  expect(status.stdout).toContain("remembered: 2 tools");
  state.seen.length = 0;
  await runProgram(["setup", "--server", "kb", "--description", "mine"], { env });
  expect(state.seen).toEqual([]);
});

test.each([
  ["answers nothing", (state: Listing) => (state.answers = false)],
  ["refuses the token", (state: Listing) => (state.tokens = [])],
])("setup succeeds within seconds although the server %s", async (_, change) => {
  const state = listing();
  change(state);
  await using server = listingServer(state);
  using folder = ownFolder();
  const words = ["setup", "--server", "kb", "--url", server.url, "--token-stdin"];
  const from = performance.now();
  const ended = await runProgram(words, { env: { HOME: folder.path }, stdin: token });
  expect([ended.code, ended.stderr]).toEqual([0, ""]);
  expect(performance.now() - from).toBeLessThan(15_000);
});
