import { expect, test } from "bun:test";
import type { Upstream } from "../../src/upstream/core/types.ts";
import { LazyUpstream } from "../../src/upstream/lazy.ts";
import { notificationOf } from "../../src/wire/message.ts";

const never = new AbortController().signal;

function late() {
  const passed: string[] = [];
  const made = Promise.withResolvers<void>();
  let count = 0;
  const behind: Upstream = {
    send: async ({ head }) => void passed.push(head.method!),
    listen: async () => void passed.push("listen"),
    close: async (deadlineMs) => void passed.push(`close ${deadlineMs}`),
  };
  const upstream = new LazyUpstream(async () => {
    count++;
    await made.promise;
    return behind;
  });
  const send = (method: string) =>
    upstream.send(notificationOf(method), async () => undefined, never);
  return { upstream, send, passed, made, count: () => count };
}

test("no upstream is created before the first message, not even by close", async () => {
  const { upstream, count } = late();
  await upstream.close(10);
  expect(count()).toBe(0);
});

test("messages that arrive while the upstream is created are sent in their order, later ones at once", async () => {
  const { upstream, send, passed, made, count } = late();
  const sent = [send("one"), send("two"), upstream.listen(async () => undefined, never)];
  const closed = upstream.close(10);
  expect(passed).toEqual([]);
  made.resolve();
  await Promise.all([...sent, closed]);
  void send("three");
  expect(passed).toEqual(["one", "two", "listen", "close 10", "three"]);
  expect(count()).toBe(1);
});

test("if the upstream cannot be created, every waiting message gets the error", async () => {
  const upstream = new LazyUpstream(() => Promise.reject(new Error("broken")));
  const send = () => upstream.send(notificationOf("one"), async () => undefined, never);
  expect(await Promise.allSettled([send(), send()])).toMatchObject([
    { status: "rejected" },
    { status: "rejected" },
  ]);
});
