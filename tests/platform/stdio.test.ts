import { expect, spyOn, test } from "bun:test";
import { openStdio } from "../../src/platform/stdio.ts";

test("a stdin that cannot be opened fails each read with its error", async () => {
  using opening = spyOn(Bun.stdin, "stream").mockImplementation(() => {
    throw Object.assign(new Error("bad file descriptor"), { code: "EBADF" });
  });
  const { first, input } = openStdio();
  expect(opening).toHaveBeenCalled();
  await expect(first).rejects.toThrow("bad file descriptor");
  const chunks = input[Symbol.asyncIterator]();
  for (let read = 0; read < 3; read++)
    await expect(chunks.next()).rejects.toThrow("bad file descriptor");
});
