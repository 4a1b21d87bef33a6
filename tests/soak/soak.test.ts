import { expect, test } from "bun:test";
import { bridge } from "../fault/support/program.ts";
import { soak } from "./soak.ts";

const calls = Number(process.env.SOAK_CALLS ?? 3000);
/** A call may leave 1 KB. A short soak allows more, for memory that the run time takes once. */
const allowedBytes = calls >= 50_000 ? calls * 0.8 * 1024 : 48e6;

test(`of ${calls} calls, a tenth of which fail, none is lost and none is executed twice`, async () => {
  const seed = Number(process.env.SOAK_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const result = await soak(bridge, calls, seed);
  console.error(`soak with seed ${seed}: ${JSON.stringify(result)}`);
  expect(result).toMatchObject({ lost: 0, answeredTwice: 0, executedTwice: 0, wrong: 0, exit: 0 });
  expect(result.results).toBeGreaterThan(calls * 0.9);
  expect(result.endBytes - result.warmBytes).toBeLessThan(allowedBytes);
}, 3_600_000);
