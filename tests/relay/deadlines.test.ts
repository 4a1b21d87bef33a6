import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { Deadlines } from "../../src/relay/deadlines.ts";

let elapsed = 0;
const minuteMs = 60_000;

function pass(ms: number): void {
  // In small steps: a timer that arms itself again sees the time it fired at.
  for (let left = ms; left > 0; left -= 1000) {
    const step = Math.min(left, 1000);
    elapsed += step;
    jest.advanceTimersByTime(step);
  }
}

beforeEach(() => {
  elapsed = 0;
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function startOne(ms: number) {
  const deadlines = new Deadlines(() => elapsed);
  const expired: number[] = [];
  const deadline = deadlines.start(ms, () => expired.push(elapsed));
  return { deadlines, deadline, expired };
}

test("expires once, when its time is over", () => {
  const { expired } = startOne(minuteMs);
  pass(minuteMs - 1000);
  expect(expired).toEqual([]);
  pass(10 * minuteMs);
  expect(expired).toEqual([minuteMs]);
});

test("is paused while a question is open", () => {
  const { deadline, expired } = startOne(minuteMs);
  pass(30_000);
  const resume = deadline.pause();
  pass(5 * minuteMs);
  expect(expired).toEqual([]);
  resume();
  resume();
  pass(29_000);
  expect(expired).toEqual([]);
  pass(2000);
  expect(expired).toHaveLength(1);
});

test("a server that asks without end does not keep a call for ever", () => {
  const { deadline, expired } = startOne(minuteMs);
  let resume = deadline.pause();
  for (let n = 0; n < 60; n += 1) {
    pass(minuteMs);
    const next = deadline.pause();
    resume();
    resume = next;
  }
  expect(expired).toHaveLength(1);
});

test("extending starts the time again, up to ten minutes in all", () => {
  const { deadline, expired } = startOne(minuteMs);
  for (let n = 0; n < 30; n += 1) {
    pass(30_000);
    deadline.extend();
  }
  expect(expired).toEqual([10 * minuteMs]);
});

test("extending never shortens the time", () => {
  const { deadline, expired } = startOne(20 * minuteMs);
  pass(minuteMs);
  deadline.extend();
  pass(18 * minuteMs);
  expect(expired).toEqual([]);
  pass(minuteMs);
  expect(expired).toHaveLength(1);
});

test("a deadline that is called off never expires", () => {
  const { deadline, expired } = startOne(minuteMs);
  deadline.callOff();
  pass(5 * minuteMs);
  expect(expired).toEqual([]);
});

test("questions pause the deadline of a call for ten minutes in all", () => {
  const { deadline, expired } = startOne(2 * minuteMs);
  pass(minuteMs);
  const resume = deadline.pause();
  pass(6 * minuteMs);
  resume();
  deadline.pause();
  pass(20 * minuteMs);
  expect(expired).toEqual([12 * minuteMs]);
});

test("a question of one call does not pause the deadline of another", () => {
  const deadlines = new Deadlines(() => elapsed);
  const expired: string[] = [];
  deadlines.start(minuteMs, () => expired.push("asked")).pause();
  deadlines.start(minuteMs, () => expired.push("other"));
  pass(2 * minuteMs);
  expect(expired).toEqual(["other"]);
});

test("counts as extended for a moment only", () => {
  const { deadline } = startOne(minuteMs);
  expect(deadline.isExtended).toBe(false);
  deadline.extend();
  elapsed += 9;
  expect(deadline.isExtended).toBe(true);
  elapsed += 1;
  expect(deadline.isExtended).toBe(false);
});
