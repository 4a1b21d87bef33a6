import { expect, test } from "bun:test";
import { median, noise, quantile } from "../../bench/statistics.ts";

const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);

test.each([
  [0.5, 50],
  [0.95, 95],
  [0.99, 99],
  [1, 100],
])("the quantile %p of 1 to 100 is %p, in whatever order they come", (q, value) => {
  expect(quantile(hundred, q)).toBe(value);
});

test("one sample is every quantile, and no sample is none", () => {
  expect([quantile([7], 0.5), quantile([7], 0.99), median([])]).toEqual([7, 7, Number.NaN]);
});

test("noise is how far the rounds lie from all of them together", () => {
  const round = (middle: number) => [middle - 1, middle, middle + 1];
  expect(noise([round(10), round(10), round(10)], 0.5)).toBe(0);
  expect(noise([round(10), round(14), round(30)], 0.5)).toBe(4);
});

test("one round that was disturbed is no noise", () => {
  expect(noise([[10], [10], [10], [10], [900]], 0.5)).toBe(0);
});
