import { expect, test } from "bun:test";
import { startEverything } from "../support/everything.ts";
import { serveStateless } from "../support/stateless-server.ts";
import { Home, offline } from "./support/codex.ts";
import { callsTool, scriptedModel } from "./support/model.ts";
import { exec } from "./support/trip.ts";

test("Codex calls tools of three servers through one entry in its first model request, while a fourth hangs", async () => {
  await using http = await startEverything("streamableHttp");
  await using sse = await startEverything("sse");
  await using stateless = serveStateless();
  const hanging = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Promise<Response>(() => undefined),
  });
  await using model = scriptedModel([
    [
      callsTool("bridge", "http__echo", { message: "streamed" }, "http"),
      callsTool("bridge", "sse__echo", { message: "over SSE" }, "sse"),
      callsTool("bridge", "stateless__locate", { region: "Zürich" }, "stateless"),
      callsTool("bridge", "hanging__problem", {}, "hanging"),
    ],
  ]);
  using home = new Home(offline(model.url));
  const urls = {
    http: http.url,
    sse: sse.url,
    stateless: stateless.url,
    hanging: `http://127.0.0.1:${hanging.port}/mcp`,
  };
  // A call of the tool for the hanging server waits for it as long as a call may take.
  const options = (name: string) => [
    ...["--no-auth", "--approval", "approve"],
    ...(name === "hanging" ? ["--timeout", "2"] : []),
  ];
  for (const [name, url] of Object.entries(urls))
    await home.bridge("setup", "--server", name, "--url", url, ...options(name));
  await home.bridge("codex-config", "--combined", "--write");
  expect(home.config).toContain('args = ["run", "--all"]');
  // The first start has no catalogs, the second one has.
  for (let start = 0; start < 2; start++) {
    const before = model.requests.length;
    expect((await exec(home)).code).toBe(0);
    const [first, second] = model.requests.slice(before);
    expect(first!.offered).toContain("mcp__bridge/http__echo");
    expect(first!.offered).toContain("mcp__bridge/sse__echo");
    expect(first!.offered).toContain("mcp__bridge/stateless__locate");
    expect(first!.offered).toContain("mcp__bridge/hanging__problem");
    if (start > 0) continue;
    expect(second!.outputs.get("http")).toContain("Echo: streamed");
    expect(second!.outputs.get("sse")).toContain("Echo: over SSE");
    expect(second!.outputs.get("stateless")).toContain("in Zürich");
    expect(second!.outputs.get("hanging")).toContain("hanging");
  }
  await hanging.stop(true);
});
