import { afterEach, expect, jest, test } from "bun:test";
import { CountedFailures, CountedLog } from "../../src/platform/counted-log.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog } from "../support/client.ts";

afterEach(() => void jest.useRealTimers());

test("a flood of events writes one line at once, then one a second with the count", () => {
  jest.useFakeTimers();
  const log = memoryLog();
  const counted = new CountedLog(log, "warn", "dropped");
  for (let n = 0; n < 100_000; n++) counted.note({ n });
  expect(log.events).toEqual(['dropped {"n":0}']);
  jest.advanceTimersByTime(1000);
  expect(log.events.slice(1)).toEqual(['dropped {"n":99999,"count":99999}']);
  jest.advanceTimersByTime(5000);
  expect(log.events).toHaveLength(2);
  counted.note({ n: -1 });
  expect(log.events.slice(2)).toEqual(['dropped {"n":-1}']);
});

test("equal failures make one line a second with their number, and different ones a line each", () => {
  jest.useFakeTimers();
  const log = memoryLog();
  const failures = new CountedFailures(log, "call failed");
  for (let n = 0; n < 1000; n++)
    for (const message of ["one", "two"]) failures.note(new BridgeError("timeout", message));
  expect(log.events).toEqual([
    'call failed {"kind":"timeout","error":"one"}',
    'call failed {"kind":"timeout","error":"two"}',
  ]);
  jest.advanceTimersByTime(1000);
  expect(log.events.slice(2)).toEqual([
    'call failed {"kind":"timeout","error":"one","count":999}',
    'call failed {"kind":"timeout","error":"two","count":999}',
  ]);
});
