import { expect, test } from "bun:test";
import { asBridgeError, BridgeError } from "../../src/wire/errors.ts";

test("an expired AbortSignal.timeout() is a timeout; any other unknown error is a defect", async () => {
  const signal = AbortSignal.timeout(1);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  expect(asBridgeError(signal.reason)).toMatchObject({ kind: "timeout", exitCode: 5 });
  expect(asBridgeError(new TypeError("x is not a function"))).toMatchObject({
    kind: "internal",
    message: "unexpected failure: TypeError: x is not a function",
  });
  expect(asBridgeError("thrown as it is").message).toBe("unexpected failure: thrown as it is");
  expect(asBridgeError(null).message).toBe("unexpected failure: null");
  const known = new BridgeError("dns", "the host was not found");
  expect(asBridgeError(known)).toBe(known);
});

test.each([
  [{ by: "closing" }, "cancelled", "the bridge ended first"],
  [{ by: "deadline" }, "timeout", "the server did not answer in time"],
])("the reason %p of an aborted signal is no defect", (reason, kind, message) => {
  expect(asBridgeError(AbortSignal.abort(reason).reason)).toMatchObject({ kind, message });
});
