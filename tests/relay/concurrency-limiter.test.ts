import { expect, test } from "bun:test";
import { ConcurrencyLimiter } from "../../src/relay/concurrency-limiter.ts";

const never = new AbortController().signal;

test("lets waiters in first come, first served", async () => {
  const limiter = new ConcurrencyLimiter({ places: 1, waiting: 10, waitingBytes: 100 });
  const order: number[] = [];
  await limiter.enter(1, never);
  const waiting = [1, 2, 3].map(async (n) => {
    await limiter.enter(1, never);
    order.push(n);
    limiter.leave();
  });
  limiter.leave();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3]);
});

test.each([
  ["too many wait", { places: 1, waiting: 2, waitingBytes: 1000 }],
  ["they hold too many bytes", { places: 1, waiting: 100, waitingBytes: 25 }],
])("refuses at once where %s", async (_, bounds) => {
  const limiter = new ConcurrencyLimiter(bounds);
  const stop = new AbortController();
  await limiter.enter(10, never);
  const waiting = [limiter.enter(10, stop.signal), limiter.enter(10, stop.signal)];
  expect(limiter.enter(10, never)).rejects.toMatchObject({
    kind: "rate-limited",
    safeToRetry: true,
  });
  stop.abort("over");
  expect(await Promise.allSettled(waiting)).toMatchObject([{ reason: "over" }, { reason: "over" }]);
  limiter.leave();
  await limiter.enter(10, never);
});

test("one message over the bound of bytes waits all the same when nothing else does", async () => {
  const limiter = new ConcurrencyLimiter({ places: 1, waiting: 10, waitingBytes: 5 });
  await limiter.enter(1, never);
  const large = limiter.enter(50, never);
  limiter.leave();
  await large;
});

test("a waiter that is aborted takes no place", async () => {
  const limiter = new ConcurrencyLimiter({ places: 1, waiting: 10, waitingBytes: 100 });
  const stop = new AbortController();
  await limiter.enter(1, never);
  const first = limiter.enter(1, stop.signal);
  const second = limiter.enter(1, never);
  // The first is let in and stopped in one turn: its place must come to the second.
  limiter.leave();
  stop.abort("late");
  await first;
  limiter.leave();
  await second;
});
