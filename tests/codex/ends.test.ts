import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { AppServer } from "./support/app-server.ts";
import { callsTool } from "./support/model.ts";
import { bridgesOf, exec, trip, until } from "./support/trip.ts";

const longCall = callsTool(
  "kb",
  "trigger_long_running_operation",
  { duration: 60, steps: 60 },
  "c",
);

describe("a bridge ends with its Codex", () => {
  test("after codex exec", async () => {
    await using on = await trip([[callsTool("kb", "echo", { message: "x" })]]);
    expect((await exec(on.home)).code).toBe(0);
    await until("no bridge", () => bridgesOf(on.home).length === 0);
  });

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
    "after %s in the middle of a call",
    async (signal) => {
      await using on = await trip([[longCall]]);
      const codex = on.home.spawn([
        "codex",
        ...["exec", "--skip-git-repo-check", "--json", "go on"],
      ]);
      codex.stdin.end();
      void codex.stderr.text();
      await startOf(codex.stdout, "mcp_tool_call");
      expect(bridgesOf(on.home)).toHaveLength(1);
      process.kill(nativeOf(codex.pid), signal);
      await codex.exited;
      await until("no bridge", () => bridgesOf(on.home).length === 0);
    },
  );

  test("after the end of codex app-server's stdin in the middle of a call", async () => {
    await using on = await trip([[longCall]]);
    {
      await using app = await AppServer.start(on.home, () => ({ action: "decline" }));
      const threadId = await app.startThread(on.home.work);
      const input = [{ type: "text", text: "go on", text_elements: [] }];
      await app.request("turn/start", { threadId, input });
      await app.notification("item/started", ({ item }) => item.type === "mcpToolCall");
      expect(bridgesOf(on.home)).toHaveLength(1);
    }
    await until("no bridge", () => bridgesOf(on.home).length === 0);
  });
});

/** The Codex that npm's wrapper has started: the wrapper would not hand SIGKILL on. */
function nativeOf(wrapper: number): number {
  const children = readFileSync(`/proc/${wrapper}/task/${wrapper}/children`, "utf8");
  return Number.parseInt(children, 10);
}

/** Reads until the text has come, then goes on reading. */
async function startOf(stdout: ReadableStream<Uint8Array>, text: string): Promise<void> {
  const reader = stdout.getReader();
  for (let seen = ""; !seen.includes(text); ) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`codex ended before ${text}: ${seen}`);
    seen += new TextDecoder().decode(value);
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
}
