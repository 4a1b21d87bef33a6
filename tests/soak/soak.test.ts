import { expect, test } from "bun:test";
import { bridge } from "../fault/support/program.ts";
import { soak } from "./soak.ts";

const calls = Number(process.env.SOAK_CALLS ?? 3000);
/** A call may leave 1 KB. In a short soak what the run time takes once hides that: it gets a bound of its own. */
const allowedBytes = calls >= 50_000 ? calls * 0.8 * 1024 : 48e6;

test(`of ${calls} calls with a tenth of faults none is lost, none is executed twice`, async () => {
  const seed = Number(process.env.SOAK_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const result = await soak(bridge, calls, seed);
  console.error(`soak with seed ${seed}: ${JSON.stringify(result)}`);
  expect(result).toMatchObject({ lost: 0, answeredTwice: 0, executedTwice: 0, wrong: 0, exit: 0 });
  expect(result.results).toBeGreaterThan(calls * 0.9);
  expect(result.endBytes - result.warmBytes).toBeLessThan(allowedBytes);
}, 3_600_000);
