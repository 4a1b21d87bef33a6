import { expect, test } from "bun:test";
import { ReadBudget } from "../../../src/upstream/transport/read-budget.ts";

const megabyte = 1024 * 1024;
const never = new AbortController().signal;

test("the oldest answer is read on, the others wait for room in the budget", async () => {
  const budget = new ReadBudget();
  const [first, second, third] = [budget.begin(), budget.begin(), budget.begin()];
  expect(first.hold(60 * megabyte, never)).toBeUndefined();
  expect(second.hold(60 * megabyte, never)).toBeUndefined();
  const waits = third.hold(30 * megabyte, never);
  expect(waits).toBeDefined();
  expect(first.hold(64 * megabyte, never)).toBeUndefined();
  let isOn = false;
  void waits?.then(() => {
    isOn = true;
  });
  await Bun.sleep(0);
  expect(isOn).toBe(false);
  first.end();
  await waits;
  expect(second.hold(0, never)).toBeUndefined();
  third.end();
});

test("a waiting answer ends with its call, and small answers never wait", async () => {
  const budget = new ReadBudget();
  const [first, second] = [budget.begin(), budget.begin()];
  expect(first.hold(200 * megabyte, never)).toBeUndefined();
  const stop = new AbortController();
  const waits = second.hold(2 * megabyte, stop.signal);
  stop.abort(new Error("over"));
  expect(waits).rejects.toThrow("over");
  second.end();
  expect(budget.begin().hold(megabyte / 2, never)).toBeUndefined();
  first.end();
});
