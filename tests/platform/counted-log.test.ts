import { afterEach, expect, jest, test } from "bun:test";
import { CountedLog } from "../../src/platform/counted-log.ts";
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
