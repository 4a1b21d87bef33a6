import { expect, test } from "bun:test";
import { startEverything } from "../support/everything.ts";
import { serveStateless } from "../support/stateless-server.ts";
import { Home, offline } from "./support/codex.ts";
import { callsTool, scriptedModel } from "./support/model.ts";
import { exec } from "./support/trip.ts";

interface Served extends AsyncDisposable {
  readonly url: string;
}

test.each<[string, () => Promise<Served>, string, Record<string, unknown>, string]>([
  [
    "the everything server over HTTP+SSE of 2024-11-05",
    () => startEverything("sse"),
    "echo",
    { message: "over SSE" },
    "Echo: over SSE",
  ],
  [
    "the everything server over Streamable HTTP",
    () => startEverything("streamableHttp"),
    "echo",
    { message: "streamed" },
    "Echo: streamed",
  ],
  [
    "a stateless-only server of the official SDK 2.x",
    async () => serveStateless(),
    "locate",
    { region: "Zürich" },
    "in Zürich",
  ],
])("Codex calls a tool of %s", async (_, start, tool, args, result) => {
  await using server = await start();
  await using model = scriptedModel([[callsTool("kb", tool, args, "call")]]);
  using home = new Home(offline(model.url));
  const options = ["--url", server.url, "--no-auth", "--approval", "approve"];
  await home.bridge("setup", "--server", "kb", ...options);
  await home.bridge("codex-config", "--write");
  expect((await exec(home)).code).toBe(0);
  expect(model.requests[0]?.offered).toContain(`mcp__kb/${tool}`);
  expect(model.requests[1]?.outputs.get("call")).toContain(result);
  // The second start knows the server's protocol.
  expect((await exec(home)).code).toBe(0);
  expect(model.requests.at(-1)?.offered).toContain(`mcp__kb/${tool}`);
});
