import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { PausableTimeout } from "../../../src/oauth/sign-in/pausable-timeout.ts";

const reason = new Error("nobody came");

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test("the timeout counts from the arrival of the call and ends a second before its deadline", () => {
  using timeout = new PausableTimeout(60_000, performance.now() - 50_000, reason);
  jest.advanceTimersByTime(8999);
  expect(timeout.signal.aborted).toBe(false);
  jest.advanceTimersByTime(1);
  expect(timeout.signal.reason).toBe(reason);
});

test("the timeout does not run while the client asks", () => {
  using timeout = new PausableTimeout(100, performance.now(), reason);
  jest.advanceTimersByTime(50);
  timeout.pause();
  timeout.pause();
  jest.advanceTimersByTime(1000);
  expect(timeout.signal.aborted).toBe(false);
  timeout.resume();
  jest.advanceTimersByTime(39);
  expect(timeout.signal.aborted).toBe(false);
  jest.advanceTimersByTime(1);
  expect(timeout.signal.aborted).toBe(true);
});

test("a call that arrived after its deadline has no time left", () => {
  using timeout = new PausableTimeout(100, performance.now() - 1000, reason);
  jest.advanceTimersByTime(1);
  expect(timeout.signal.aborted).toBe(true);
});
