import { expect, test } from "bun:test";
import { serveReference } from "../conformance/support/reference-server.ts";
import { chainClient } from "../support/whole-chain.ts";

test.each(["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])(
  "revision %s is negotiated with a server of the official SDK, and a tool call succeeds",
  async (revision) => {
    const server = serveReference();
    try {
      const client = chainClient(new URL(server.url));
      expect((await client.start({}, revision)).result.protocolVersion).toBe(revision);
      const called = await client.call("tools/call", { name: "test_tool_with_progress" });
      expect(called.at(-1).result.content[0].text).toBe("done");
      const failed = await client.call("no/such/method");
      expect(failed.at(-1).error.code).toBe(-32601);
      await client.upstream.close(1000);
    } finally {
      await server.stop();
    }
  },
);
