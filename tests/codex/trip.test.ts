import { describe, expect, test } from "bun:test";
import { compiledBridge } from "../support/binary.ts";
import { startEverything } from "../support/everything.ts";
import { Home, offline } from "./support/codex.ts";
import { guarded } from "./support/guarded.ts";
import { callsTool, scriptedModel } from "./support/model.ts";
import { exec, trip } from "./support/trip.ts";

describe("the whole trip", () => {
  test("goes setup, test, codex-config --write, codex exec", async () => {
    await using everything = await startEverything("streamableHttp");
    await using model = scriptedModel([[callsTool("kb", "echo", { message: "one trip" }, "call")]]);
    using home = new Home(offline(model.url));
    const options = ["--url", everything.url, "--no-auth", "--approval", "approve"];
    await home.bridge("setup", "--server", "kb", ...options);
    const report = await home.bridge("test", "--server", "kb");
    expect(report).toContain("✓ Found 15 tools");
    expect(report).toContain("✓ All tests passed!");
    await home.bridge("codex-config", "--write");
    expect((await exec(home)).code).toBe(0);
    expect(model.requests[0]?.offered).toContain("mcp__kb/echo");
    expect(model.requests[1]?.outputs.get("call")).toContain("Echo: one trip");
  });

  test("carries a token that only the environment has through Codex to the server", async () => {
    await using front = guarded("s3cret-token");
    const call = callsTool("kb", "echo", { message: "guarded" }, "call");
    await using on = await trip([[call]], {
      setup: ["--token-env", "KB_TOKEN", "--approval", "approve"],
      url: (own) => {
        front.upstream = own;
        return front.url;
      },
    });
    Object.assign(on.home.variables, { KB_TOKEN: "s3cret-token" });
    expect((await exec(on.home)).code).toBe(0);
    expect(on.model.requests[0]?.offered).toContain("mcp__kb/echo");
    expect(on.model.requests[1]?.outputs.get("call")).toContain("Echo: guarded");
    expect(new Set(front.seen)).toEqual(new Set(["Bearer s3cret-token"]));
  });

  test("shows the bridge's own words where a required server cannot start", async () => {
    await using on = await trip([], {
      setup: ["--token-env", "KB_TOKEN"],
      codexConfig: ["--required"],
    });
    const ended = await exec(on.home);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("the variable KB_TOKEN is not set");
    expect(ended.stderr).toContain("codex-mcp-http-bridge codex-config --write");
  });

  test("shows the class of a refusal by the server where it is required", async () => {
    await using front = guarded("right");
    await using on = await trip([], {
      setup: ["--token-env", "KB_TOKEN"],
      codexConfig: ["--required"],
      url: () => front.url,
    });
    Object.assign(on.home.variables, { KB_TOKEN: "wrong-token" });
    const ended = await exec(on.home);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("Authentication failed");
    expect(ended.stderr).not.toContain("wrong-token");
  });

  test("shows what is wrong with the bridge's configuration where the server is required", async () => {
    await using on = await trip([], { codexConfig: ["--required"] });
    await on.home.bridge("remove", "kb");
    const ended = await exec(on.home);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("codex-mcp-http-bridge setup");
  });

  test("serves the built-in server for a first try", async () => {
    await using model = scriptedModel([]);
    using home = new Home(
      `${offline(model.url)}[mcp_servers.demo]\ncommand = "${compiledBridge()}"\nargs = ["run", "--demo"]\n`,
    );
    expect((await exec(home)).code).toBe(0);
    const demo = model.requests[0]?.offered.filter((name) => name.startsWith("mcp__demo/"));
    expect(demo).toHaveLength(3);
  });
});
