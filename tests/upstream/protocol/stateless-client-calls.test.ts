import { expect, test } from "bun:test";
import { StatelessClientCalls } from "../../../src/upstream/protocol/stateless-client-calls.ts";
import { requestOf } from "../../../src/wire/message.ts";
import { handUpstream } from "../../support/hand-upstream.ts";

test("the stream of a server that asks without end and accepts no answers is read no further", async () => {
  const { upstream, sent } = handUpstream();
  const calls = new StatelessClientCalls(upstream, new AbortController().signal);
  const ping = (n: number) => calls.ask(requestOf(`${n}`, "ping", "{}"));
  for (let n = 0; n < 100; n++) await ping(n);
  expect((await ping(100).catch((thrown) => thrown)).kind).toBe("bad-answer");
  expect(sent).toHaveLength(100);
  // An answer that the server takes makes room for another.
  sent[0]!.done.resolve();
  await sent[0]!.done.promise;
  await Promise.resolve();
  await Promise.resolve();
  await ping(101);
  expect(sent).toHaveLength(101);
});
