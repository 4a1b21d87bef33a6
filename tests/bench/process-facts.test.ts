import { expect, test } from "bun:test";
import { cpuSeconds } from "../../bench/process-facts.ts";

test("CPU time grows by less than a tick of 10 ms", () => {
  const before = cpuSeconds(process.pid);
  let after = before;
  while (after === before) after = cpuSeconds(process.pid);
  expect(after - before).toBeGreaterThan(0);
  expect(after - before).toBeLessThan(0.01);
});

test("a process that is gone has no CPU time", async () => {
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(() => cpuSeconds(child.pid)).toThrow("has no clock");
});
