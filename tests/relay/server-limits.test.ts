import { expect, test } from "bun:test";
import type { Upstream } from "../../src/upstream/core/types.ts";
import { requestOf } from "../../src/wire/message.ts";
import { relayClient } from "../support/client.ts";

test("answers and cancellations of the client do not wait behind other notifications", async () => {
  const posted: string[] = [];
  const upstream: Upstream = {
    send: async ({ head }, deliver) => {
      posted.push(head.method ?? head.kind);
      if (head.method === "asks") await deliver(requestOf('"q"', "roots/list"));
      // A server that takes no notification: all places are soon taken.
      if (head.method === "notifications/progress") await new Promise(() => undefined);
    },
    listen: async () => undefined,
    close: async () => undefined,
  };
  const client = relayClient(upstream);
  for (let n = 0; n < 100; n += 1) client.send({ method: "notifications/progress" });
  client.send({ id: 0, method: "asks" });
  client.send({ id: (await client.next()).id, result: {} });
  client.send({ method: "notifications/cancelled", params: { requestId: "unknown" } });
  client.send({ id: 1, method: "tools/list" });
  while (!posted.includes("tools/list")) await Bun.sleep(0);
  expect(posted.filter((method) => method === "notifications/progress")).toHaveLength(30);
  expect(posted).toContain("response");
  expect(posted).toContain("notifications/cancelled");
});
