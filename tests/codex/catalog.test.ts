import { expect, test } from "bun:test";
import { startEverything } from "../support/everything.ts";
import { Home, offline } from "./support/codex.ts";
import { callsTool, scriptedModel } from "./support/model.ts";
import { exec } from "./support/trip.ts";

const slowMs = 3000;

/** Stands before `upstream`; once `isSlow`, its answer to initialize takes three seconds. */
function slowFront(upstream: URL) {
  const state = { isSlow: false, answeredSlowly: 0 };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const body = request.method === "POST" ? await request.text() : undefined;
      if (state.isSlow && body?.includes('"initialize"')) {
        await Bun.sleep(slowMs);
        state.answeredSlowly++;
      }
      const headers = new Headers(request.headers);
      headers.delete("host");
      return fetch(upstream, {
        method: request.method,
        headers,
        ...(body !== undefined && { body }),
        signal: request.signal,
      });
    },
  });
  return {
    state,
    url: new URL("/mcp", server.url),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

test("a server that takes three seconds to initialize has its tools in Codex's first model request", async () => {
  await using everything = await startEverything("streamableHttp");
  await using front = slowFront(new URL(everything.url));
  await using model = scriptedModel([[callsTool("kb", "echo", { message: "late" }, "call")]]);
  using home = new Home(offline(model.url));
  const options = ["--url", front.url.href, "--no-auth", "--approval", "approve"];
  await home.bridge("setup", "--server", "kb", ...options);
  await home.bridge("test", "--server", "kb");
  await home.bridge("codex-config", "--write");
  front.state.isSlow = true;
  expect((await exec(home)).code).toBe(0);
  expect(model.requests[0]?.offered).toContain("mcp__kb/echo");
  expect(model.requests[1]?.outputs.get("call")).toContain("Echo: late");
  expect(front.state.answeredSlowly).toBe(1);
});
