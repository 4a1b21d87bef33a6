import { expect, test } from "bun:test";
import { metaKeys } from "../../../src/upstream/core/stateless-protocol.ts";
import { memoryLog } from "../../support/client.ts";
import { combinedClient } from "../../support/combined.ts";
import { lyingServer } from "../../support/lying-server.ts";
import { openedChain } from "../../support/open-server.ts";
import { serveStateless } from "../../support/stateless-server.ts";

test("a stateless client gets the instructions and capabilities of servers that speak only sessions, too", async () => {
  const introduced = (instructions: string, capabilities: object) =>
    lyingServer({
      initialize: {
        ...{ protocolVersion: "2025-11-25", capabilities, instructions },
        serverInfo: { name: "s", version: "1" },
      },
    });
  await using one = introduced("Ask one.", { tools: {} });
  await using two = introduced("Ask two.", { prompts: {} });
  await using stateless = serveStateless();
  const client = { name: "test", capabilities: "{}", protocolVersion: "" };
  const ask = () => Promise.reject(new Error("nobody asks"));
  const shared = { home: "/nonexistent", client, ask, log: memoryLog() };
  const opened = ([name, { url }]: [string, { url: string }]) =>
    [name, openedChain(name, { url }, shared, { answersDiscovery: true }).upstream] as const;
  const combined = combinedClient(
    Object.fromEntries(Object.entries({ one, stateless, two }).map(opened)),
  );
  const _meta = {
    [metaKeys.version]: "2026-07-28",
    [metaKeys.clientInfo]: { name: "modern", version: "1" },
    [metaKeys.capabilities]: {},
  };
  const { result } = await combined.call("server/discover", { _meta });
  expect(result.instructions).toContain("one: Ask one.");
  expect(result.instructions).toContain("two: Ask two.");
  expect(result.capabilities).toMatchObject({ tools: { listChanged: true }, prompts: {} });
});
