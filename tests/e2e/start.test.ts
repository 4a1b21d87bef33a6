import { expect, test } from "bun:test";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";

const root = join(import.meta.dir, "../..");
const initialize =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n';

test("run loads no package before its first answer, except valibot to validate a new file", async () => {
  using folder = ownFolder();
  const seen = join(folder.path, "seen");
  const preload = join(folder.path, "trace.ts");
  await Bun.write(
    preload,
    `import { appendFileSync, readFileSync } from "node:fs";
Bun.plugin({ name: "trace", setup(build) {
  build.onLoad({ filter: /node_modules/ }, ({ path }) => {
    appendFileSync(${JSON.stringify(seen)}, path + "\\n");
    return { contents: readFileSync(path, "utf8"), loader: "js" };
  });
} });`,
  );
  await Bun.write(seen, "");
  await using child = Bun.spawn(
    [process.execPath, "--preload", preload, join(root, "bridge.ts"), "run", "--demo"],
    {
      env: { HOME: folder.path },
      stdin: new TextEncoder().encode(initialize),
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  expect(await child.stdout.text()).toContain('"serverInfo"');
  expect(await child.exited).toBe(0);
  const packages = (await Bun.file(seen).text()).matchAll(/node_modules\/((?:@[^/]+\/)?[^/\n]+)/g);
  const others = [...packages].map(([, name]) => name).filter((name) => name !== "valibot");
  expect(others).toEqual([]);
});
