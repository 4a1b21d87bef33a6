import { describe, expect, test } from "bun:test";
import { callsTool } from "./support/model.ts";
import { exec, trip } from "./support/trip.ts";

describe("codex exec", () => {
  test("offers the bridge's tools in its first model request and gets a call's result", async () => {
    const call = callsTool("kb", "echo", { message: "from the model" }, "call");
    await using on = await trip([[call]]);
    const ended = await exec(on.home);
    expect(ended.code).toBe(0);
    const [first, second] = on.model.requests;
    expect(first?.offered).toContain("mcp__kb/echo");
    expect(first?.offered).toContain("mcp__kb/get_sum");
    expect(first?.namespaces.get("mcp__kb")).toContain("Everything Server");
    expect(second?.outputs.get("call")).toContain("Echo: from the model");
  });

  test("has the tools in the first model request of each of seven starts", async () => {
    await using on = await trip([]);
    const offered: boolean[] = [];
    for (let start = 0; start < 7; start++) {
      const before = on.model.requests.length;
      expect((await exec(on.home)).code).toBe(0);
      offered.push(on.model.requests[before]!.offered.includes("mcp__kb/echo"));
    }
    expect(offered).toEqual(Array(7).fill(true));
  });

  test("runs several calls of one turn, and gives the model an error's text", async () => {
    const calls = [
      callsTool("kb", "get_sum", { a: 2, b: 40 }, "sum"),
      callsTool("kb", "get_sum", { a: "two" }, "wrong"),
      callsTool("kb", "get_structured_content", { location: "Chicago" }, "structured"),
      callsTool("kb", "get_tiny_image", {}, "image"),
    ];
    await using on = await trip([calls]);
    expect((await exec(on.home)).code).toBe(0);
    const outputs = on.model.requests[1]?.outputs;
    expect(outputs?.get("sum")).toContain("42");
    expect(outputs?.get("wrong")).toContain("-32602");
    expect(outputs?.get("structured")).toContain("temperature");
    expect(outputs?.get("image")).toContain("data:image/png;base64,");
  });

  test("reads the server's resources through the bridge", async () => {
    const uri = "demo://resource/static/document/architecture.md";
    const read = {
      ...callsTool("", "read_mcp_resource", { server: "kb", uri }, "read"),
      namespace: undefined,
    };
    await using on = await trip([[read]]);
    expect((await exec(on.home)).code).toBe(0);
    expect(on.model.requests[1]?.outputs.get("read")).toContain("Architecture");
  });

  test("declines an elicitation, and the call goes on", async () => {
    await using on = await trip([[callsTool("kb", "trigger_elicitation_request", {}, "ask")]]);
    expect((await exec(on.home)).code).toBe(0);
    expect(on.model.requests[1]?.outputs.get("ask")).toContain("declined");
  });

  test("refuses an open-world tool without the approval that setup asks for, and runs it with", async () => {
    const open = callsTool(
      "kb",
      "trigger_url_elicitation",
      { url: "https://example.com/" },
      "open",
    );
    // Codex takes a tool that says it is neither destructive nor open-world for harmless.
    const closed = callsTool("kb", "toggle_simulated_logging", {}, "closed");
    await using without = await trip([[open, closed]], { setup: [] });
    expect((await exec(without.home)).code).toBe(0);
    const refused = without.model.requests[1]?.outputs;
    expect(refused?.get("open")).toContain("requires approval");
    expect(refused?.get("closed")).toContain("simulated");
    await using approved = await trip([[open]], { setup: ["--approval", "approve"] });
    expect((await exec(approved.home)).code).toBe(0);
    expect(approved.model.requests[1]?.outputs.get("open")).toContain("declined");
  });

  test("takes every key that codex-config writes, with --strict-config", async () => {
    await using on = await trip([], { codexConfig: ["--required"] });
    const ended = await exec(on.home, "--strict-config");
    expect(ended.stderr).not.toContain("unknown");
    expect(ended.code).toBe(0);
    expect(on.model.requests[0]?.offered).toContain("mcp__kb/echo");
  });
});
