import { expect, test } from "bun:test";
import { asBridgeError, BridgeError, settingHint } from "../../src/wire/errors.ts";
import { commandLineFor, commandLineTo } from "../../src/wire/program-facts.ts";

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

test("a hint to change a setting tells a server that a client's entry names by URL how to get an entry", () => {
  const error = new BridgeError("timeout", "no answer", {
    hint: settingHint('raise "timeoutSec"'),
  });
  const command = commandLineFor(undefined);
  const configured = commandLineTo({ name: "kb", adHoc: undefined }, command);
  expect(error.hintText(configured)).toBe('raise "timeoutSec"');
  const adHoc = commandLineTo({ name: "kb-example-1", adHoc: {} }, command);
  expect(adHoc("status")).toBe("codex-mcp-http-bridge status");
  expect(error.toJsonRpc(adHoc).message).toBe(
    'no answer: raise "timeoutSec"; settings need an entry in config.json: codex-mcp-http-bridge setup NAME --from kb-example-1',
  );
});

test("no hint of an error of a server names a setting as if the server had an entry", async () => {
  const setting =
    /hint: ['"`][^\n]*["'](?:auth|limits|network|timeoutSec|connectTimeoutSec|transport|protocol)\b/;
  const bare: string[] = [];
  // A combined run serves configured servers only.
  for (const floor of ["http", "oauth", "platform", "upstream", "relay"])
    for await (const file of new Bun.Glob(`src/${floor}/**/*.ts`).scan())
      if (!file.includes("/combined/") && setting.test(await Bun.file(file).text()))
        bare.push(file);
  expect(bare).toEqual([]);
});
