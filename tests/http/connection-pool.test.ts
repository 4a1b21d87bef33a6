import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { Warmth } from "../../src/http/connection-pool.ts";
import { Crowd } from "../../src/http/in-flight.ts";

const origin = "https://mcp.example.com";
const answer = (headers: Record<string, string> = {}) => new Response("", { headers });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Whether the next request asks if it may take an idle connection, and closes the pool where it may not. */
function isStale(warmth: Warmth): boolean {
  let isAsked = false;
  warmth.dropStale(origin, () => {
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
])("where a server says %s of idle connections, they are good for %d ms", (_, keptMs, headers) => {
  const warmth = new Warmth();
  expect(isStale(warmth)).toBe(false);
  warmth.note(origin, answer(headers));
  jest.advanceTimersByTime(keptMs - 1);
  expect(isStale(warmth)).toBe(false);
  jest.advanceTimersByTime(1);
  expect(isStale(warmth)).toBe(true);
});

test("an answer to one of many makes only its own connection new", () => {
  const crowd = new Crowd();
  const warmth = new Warmth(crowd);
  for (let n = 0; n < 3; n++) crowd.enter();
  for (let n = 0; n < 3; n++) crowd.leave();
  for (let n = 0; n < 4; n++) {
    expect(isStale(warmth)).toBe(false);
    jest.advanceTimersByTime(1000);
    crowd.enter();
    warmth.note(origin, answer());
    crowd.leave();
  }
  expect(isStale(warmth)).toBe(true);
  expect(isStale(warmth)).toBe(false);
});

test("after a request without an answer the idle connections are closed, whatever the next request is", () => {
  const crowd = new Crowd();
  const warmth = new Warmth(crowd);
  crowd.suspect();
  warmth.dropStale(origin, () => false);
  expect(crowd.isSuspect).toBe(false);
});

test("an origin is fresh just after it answered, and silent until it does", () => {
  const warmth = new Warmth();
  warmth.noteSilence(origin);
  expect([warmth.knows(origin), warmth.isFresh(origin), warmth.isSilent(origin)]).toEqual([
    false,
    false,
    true,
  ]);
  warmth.note(origin, answer());
  expect([warmth.knows(origin), warmth.isFresh(origin), warmth.isSilent(origin)]).toEqual([
    true,
    true,
    false,
  ]);
  jest.advanceTimersByTime(1000);
  expect([warmth.knows(origin), warmth.isFresh(origin)]).toEqual([true, false]);
});
