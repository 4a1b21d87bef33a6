import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const rounds = Number(process.env.KILL_ROUNDS ?? 10);

test("kill -9 while saving leaves the old file or the new one, whole", async () => {
  const home = mkdtempSync(join(tmpdir(), "bridge-kill-"));
  const path = join(home, "config.json");
  for (let round = 0; round < rounds; round += 1) {
    // Large, so that the kill hits a write.
    const size = 1_000_000 + round * 4096;
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "saver.ts"), path, String(size)],
      { stdout: "pipe", stderr: "inherit" },
    );
    await child.stdout.getReader().read();
    await Bun.sleep(Math.random() * 20);
    child.kill("SIGKILL");
    await child.exited;
    const saved = JSON.parse(readFileSync(path, "utf8"));
    expect(saved.text).toBe(saved.letter.repeat(size));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
  const others = readdirSync(home).filter((name) => name !== "config.json");
  expect(others.every((name) => name.endsWith(".tmp"))).toBe(true);
  rmSync(home, { recursive: true });
}, 600_000);
