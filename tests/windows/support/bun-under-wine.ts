// Shows which calls of the Bun that build.sh uses fail under wine without any code of the bridge.

import { mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

async function attempt(name: string, call: () => unknown): Promise<void> {
  try {
    await call();
    console.log(`${name}: done`);
  } catch (error) {
    console.log(`${name}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

const folder = () => mkdtempSync(join(tmpdir(), "bun-under-wine-"));
await attempt("rmdir", () => rmdirSync(folder()));
await attempt("recursive rm", () => rmSync(folder(), { recursive: true }));
await attempt("read stdin", async () => {
  for await (const _ of Bun.stdin.stream());
});
