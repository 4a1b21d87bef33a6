import { BridgeError } from "../../src/wire/errors.ts";

/** The BridgeError that `work` rejects with. */
export async function asyncFailure(work: () => Promise<unknown>): Promise<BridgeError> {
  const outcome = await work().then(
    () => () => undefined,
    (error: unknown) => () => {
      throw error;
    },
  );
  return failure(outcome);
}

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
