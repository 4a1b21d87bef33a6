// Preloaded into the program where a test drives it as a process: tells at the end which lines never ran.
// scripts/test.sh starts it so; BRIDGE_COVERAGE names the folder for what is told.

import * as jsc from "bun:jsc";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

// Not in its types. Gives `PATH | % functions | % lines | 3,7-8`: what is missed stands last.
const { codeCoverageForFile } = jsc as unknown as {
  codeCoverageForFile(path: string, blocks: boolean): string;
};

const root = join(import.meta.dir, "..");
const folder = process.env.BRIDGE_COVERAGE;
delete process.env.BRIDGE_COVERAGE;

process.on("exit", () => {
  const lines: string[] = [];
  for (const file of new Bun.Glob("src/**/*.ts").scanSync(root)) {
    try {
      const row = codeCoverageForFile(join(root, file), false);
      lines.push(`${file} ${row.slice(row.lastIndexOf("|") + 1).trim()}`);
    } catch {
      // Not loaded in this process.
    }
  }
  writeFileSync(`${folder}/${process.pid}-${Date.now()}`, lines.join("\n"));
});
