import { expect, test } from "bun:test";
import { InFlightRequests } from "../../src/http/in-flight.ts";

/** Waits until the clock has moved on; returns when that was. */
function tick(): number {
  const from = performance.now();
  while (performance.now() - from < 1);
  return performance.now();
}

test("with one request at a time every connection counts as busy at each request", () => {
  const inFlight = new InFlightRequests();
  inFlight.enter();
  tick();
  inFlight.leave();
  const first = inFlight.fullAt;
  const later = tick();
  inFlight.enter();
  // The connection that this one takes has been idle since then.
  expect(inFlight.fullAt).toBe(first);
  inFlight.leave();
  expect(inFlight.fullAt).toBeGreaterThanOrEqual(later);
});

test("with fewer requests than before, connections count as idle since the maximum", () => {
  const inFlight = new InFlightRequests();
  for (let n = 0; n < 3; n++) inFlight.enter();
  for (let n = 0; n < 3; n++) inFlight.leave();
  const since = tick();
  for (let n = 0; n < 5; n++) {
    inFlight.enter();
    inFlight.leave();
  }
  expect(inFlight.fullAt).toBeLessThan(since);
  for (let n = 0; n < 3; n++) inFlight.enter();
  expect(inFlight.fullAt).toBeLessThan(since);
  tick();
  // All three are in use now: a fourth opens its own.
  inFlight.enter();
  expect(inFlight.fullAt).toBeGreaterThan(since);
});

test("after the pool was closed, only requests in flight count", () => {
  const inFlight = new InFlightRequests();
  for (let n = 0; n < 3; n++) inFlight.enter();
  for (let n = 0; n < 2; n++) inFlight.leave();
  inFlight.suspect();
  const since = tick();
  inFlight.resetPool();
  expect(inFlight.fullAt).toBeGreaterThanOrEqual(since);
  expect(inFlight.isSuspect).toBe(false);
  const later = tick();
  inFlight.leave();
  expect(inFlight.fullAt).toBeGreaterThanOrEqual(later);
});
