import { BridgeError } from "../../src/wire/errors.ts";

/** The BridgeError that `work` throws. */
export function failure(work: () => unknown): BridgeError {
  try {
    work();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
