import { expect, test } from "bun:test";
import { PausableTimeout } from "../../../src/oauth/sign-in/pausable-timeout.ts";

const reason = new Error("nobody came");

test("a call's patience ends before its deadline, and counts from when the call came", async () => {
  const startedAt = performance.now();
  using signInTimeout = new PausableTimeout(60_000, startedAt - 58_990, reason);
  await new Promise((resolve) => signInTimeout.signal.addEventListener("abort", resolve));
  expect(signInTimeout.signal.reason).toBe(reason);
  // A second is left to answer in.
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("a call's patience stands still while the client asks", async () => {
  using signInTimeout = new PausableTimeout(100, performance.now(), reason);
  signInTimeout.pause();
  signInTimeout.pause();
  await Bun.sleep(150);
  expect(signInTimeout.signal.aborted).toBe(false);
  signInTimeout.resume();
  await new Promise((resolve) => signInTimeout.signal.addEventListener("abort", resolve));
});

test("a call that came too late has none left", async () => {
  using signInTimeout = new PausableTimeout(100, performance.now() - 1000, reason);
  await new Promise((resolve) => signInTimeout.signal.addEventListener("abort", resolve));
});
