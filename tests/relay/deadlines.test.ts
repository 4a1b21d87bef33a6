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

test("stands still while a question is open", () => {
  const { deadlines, expired } = startOne(minuteMs);
  pass(30_000);
  deadlines.pause("q");
  pass(5 * minuteMs);
  expect(expired).toEqual([]);
  deadlines.resume("q");
  pass(29_000);
  expect(expired).toEqual([]);
  pass(2000);
  expect(expired).toHaveLength(1);
});

test("a server that asks without end does not keep a call for ever", () => {
  const { deadlines, expired } = startOne(minuteMs);
  for (let n = 0; n < 60; n += 1) {
    deadlines.pause(`q-${n}`);
    pass(minuteMs);
    deadlines.pause(`q-${n + 1}`);
    deadlines.resume(`q-${n}`);
  }
  expect(expired).toHaveLength(1);
});

test("extending begins its time anew, ten minutes in all", () => {
  const { deadline, expired } = startOne(minuteMs);
  for (let n = 0; n < 30; n += 1) {
    pass(30_000);
    deadline.extend();
  }
  expect(expired).toEqual([10 * minuteMs]);
});

test("extending never takes time away", () => {
  const { deadline, expired } = startOne(20 * minuteMs);
  pass(minuteMs);
  deadline.extend();
  pass(18 * minuteMs);
  expect(expired).toEqual([]);
  pass(minuteMs);
  expect(expired).toHaveLength(1);
});

test("called off, it never expires", () => {
  const { deadline, expired } = startOne(minuteMs);
  deadline.callOff();
  pass(5 * minuteMs);
  expect(expired).toEqual([]);
});

test("questions stop the clock of a call for ten minutes in all", () => {
  const { deadlines, expired } = startOne(2 * minuteMs);
  pass(minuteMs);
  deadlines.pause("first");
  pass(6 * minuteMs);
  deadlines.resume("first");
  deadlines.pause("second");
  // The question is given up after ten minutes; of the sixteen, ten count.
  pass(20 * minuteMs);
  expect(expired).toEqual([12 * minuteMs]);
});

test("a call that begins while a question is open has all of its time", () => {
  const deadlines = new Deadlines(() => elapsed);
  deadlines.pause("q");
  pass(5 * minuteMs);
  const expired: number[] = [];
  deadlines.start(minuteMs, () => expired.push(elapsed));
  deadlines.resume("q");
  pass(30_000);
  expect(expired).toEqual([]);
  pass(31_000);
  expect(expired).toHaveLength(1);
});
