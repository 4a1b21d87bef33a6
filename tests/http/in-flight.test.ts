import { expect, test } from "bun:test";
import { Crowd } from "../../src/http/in-flight.ts";

/** Waits until the clock has moved on; returns when that was. */
function tick(): number {
  const from = performance.now();
  while (performance.now() - from < 1);
  return performance.now();
}

test("one request after the other is always full: each leaves its connection to the next", () => {
  const crowd = new Crowd();
  crowd.enter();
  tick();
  crowd.leave();
  const first = crowd.fullAt;
  const later = tick();
  crowd.enter();
  // The connection that this one takes has been idle since then.
  expect(crowd.fullAt).toBe(first);
  crowd.leave();
  expect(crowd.fullAt).toBeGreaterThanOrEqual(later);
});

test("fewer requests than there were leave connections idle since the most were under way", () => {
  const crowd = new Crowd();
  for (let n = 0; n < 3; n++) crowd.enter();
  for (let n = 0; n < 3; n++) crowd.leave();
  const since = tick();
  for (let n = 0; n < 5; n++) {
    crowd.enter();
    crowd.leave();
  }
  expect(crowd.fullAt).toBeLessThan(since);
  for (let n = 0; n < 3; n++) crowd.enter();
  expect(crowd.fullAt).toBeLessThan(since);
  tick();
  // All three are in use now: a fourth opens its own.
  crowd.enter();
  expect(crowd.fullAt).toBeGreaterThan(since);
});

test("after the pool was closed only those under way count", () => {
  const crowd = new Crowd();
  for (let n = 0; n < 3; n++) crowd.enter();
  for (let n = 0; n < 2; n++) crowd.leave();
  crowd.suspect();
  const since = tick();
  crowd.thin();
  expect(crowd.fullAt).toBeGreaterThanOrEqual(since);
  expect(crowd.isSuspect).toBe(false);
  const later = tick();
  crowd.leave();
  expect(crowd.fullAt).toBeGreaterThanOrEqual(later);
});
