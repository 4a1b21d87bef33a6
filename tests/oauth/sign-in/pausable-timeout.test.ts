import { expect, test } from "bun:test";
import { Patience } from "../../../src/oauth/sign-in/pausable-timeout.ts";

const reason = new Error("nobody came");

test("a call's patience ends before its deadline, and counts from when the call came", async () => {
  const startedAt = performance.now();
  using patience = new Patience(60_000, startedAt - 58_990, reason);
  await new Promise((resolve) => patience.signal.addEventListener("abort", resolve));
  expect(patience.signal.reason).toBe(reason);
  // A second is left to answer in.
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("a call's patience stands still while the client asks", async () => {
  using patience = new Patience(100, performance.now(), reason);
  patience.pause();
  patience.pause();
  await Bun.sleep(150);
  expect(patience.signal.aborted).toBe(false);
  patience.resume();
  await new Promise((resolve) => patience.signal.addEventListener("abort", resolve));
});

test("a call that came too late has none left", async () => {
  using patience = new Patience(100, performance.now() - 1000, reason);
  await new Promise((resolve) => patience.signal.addEventListener("abort", resolve));
});
