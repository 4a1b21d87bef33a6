import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { ConnectionPool } from "../../src/http/connection-pool.ts";
import { InFlightRequests } from "../../src/http/in-flight.ts";

const origin = "https://mcp.example.com";
const answer = (headers: Record<string, string> = {}) => new Response("", { headers });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Whether the next request asks if it may take an idle connection, and closes the pool where it may not. */
function isStale(connectionPool: ConnectionPool): boolean {
  let isAsked = false;
  connectionPool.dropStale(origin, () => {
    isAsked = true;
    return true;
  });
  return isAsked;
}

test.each<[string, number, Record<string, string>]>([
  ["nothing", 4000, {}],
  ["timeout=10", 9000, { "Keep-Alive": "timeout=10" }],
  ["max=5, timeout=2", 1000, { "Keep-Alive": "max=5, timeout=2" }],
  ["max=5", 4000, { "Keep-Alive": "max=5" }],
])("with a Keep-Alive header of %s idle connections are used for %d ms", (_, keptMs, headers) => {
  const connectionPool = new ConnectionPool();
  expect(isStale(connectionPool)).toBe(false);
  connectionPool.note(origin, answer(headers));
  jest.advanceTimersByTime(keptMs - 1);
  expect(isStale(connectionPool)).toBe(false);
  jest.advanceTimersByTime(1);
  expect(isStale(connectionPool)).toBe(true);
});

test("the response to one of several requests refreshes one connection only", () => {
  const inFlight = new InFlightRequests();
  const connectionPool = new ConnectionPool(inFlight);
  for (let n = 0; n < 3; n++) inFlight.enter();
  for (let n = 0; n < 3; n++) inFlight.leave();
  for (let n = 0; n < 4; n++) {
    expect(isStale(connectionPool)).toBe(false);
    jest.advanceTimersByTime(1000);
    inFlight.enter();
    connectionPool.note(origin, answer());
    inFlight.leave();
  }
  expect(isStale(connectionPool)).toBe(true);
  expect(isStale(connectionPool)).toBe(false);
});

test("a request without a response closes the idle connections before any next request", () => {
  const inFlight = new InFlightRequests();
  const connectionPool = new ConnectionPool(inFlight);
  inFlight.suspect();
  connectionPool.dropStale(origin, () => false);
  expect(inFlight.isSuspect).toBe(false);
});

test("an origin is fresh just after a response, and silent until the first one", () => {
  const connectionPool = new ConnectionPool();
  connectionPool.noteSilence(origin);
  expect([
    connectionPool.knows(origin),
    connectionPool.isFresh(origin),
    connectionPool.isSilent(origin),
  ]).toEqual([false, false, true]);
  connectionPool.note(origin, answer());
  expect([
    connectionPool.knows(origin),
    connectionPool.isFresh(origin),
    connectionPool.isSilent(origin),
  ]).toEqual([true, true, false]);
  jest.advanceTimersByTime(1000);
  expect([connectionPool.knows(origin), connectionPool.isFresh(origin)]).toEqual([true, false]);
});
