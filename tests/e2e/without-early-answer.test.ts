// The early answer is an optimisation that can be taken out: a copy of the source without its folder, and without the two
// lines of bridge.ts that name it, is the same program.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";

const root = join(import.meta.dir, "../..");
let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** The copy's bridge.ts. */
function withoutEarlyAnswer(): string {
  for (const part of ["bridge.ts", "src", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(folder.path, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder.path, "node_modules"));
  rmSync(join(folder.path, "src/commands/run/early"), { recursive: true });
  const bridge = join(folder.path, "bridge.ts");
  const lines = readFileSync(bridge, "utf8").split("\n");
  const kept = lines.filter((line) => !line.includes("answerEarly"));
  expect(lines.length - kept.length).toBe(2);
  writeFileSync(bridge, kept.join("\n"));
  return bridge;
}

const messages = [
  {
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    },
  },
  { method: "notifications/initialized" },
  { id: 1, method: "tools/list" },
]
  .map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  .join("");

test("the program works without the early answer", async () => {
  const bridge = withoutEarlyAnswer();
  await using server = listingServer(listing());
  const config = join(folder.path, "home.json");
  const servers = { kb: { url: server.url, token: "a-token-of-some-length" } };
  writeFileSync(config, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  // The second start is the one that the early answer would answer: the catalog does, behind the bridge.
  for (const start of ["first", "second"]) {
    await using child = Bun.spawn(
      [process.execPath, bridge, "run", "--server", "kb", "--config-path", config],
      {
        env: { PATH: process.env.PATH ?? "", HOME: folder.path },
        stdin: new TextEncoder().encode(messages),
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([start, await child.exited, stderr]).toEqual([start, 0, expect.any(String)]);
    const answers = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ id }) => id !== undefined);
    expect(answers.map(({ id }) => id)).toEqual([0, 1]);
    expect(answers[0].result.serverInfo.name).toBe("s");
    expect(answers[1].result.tools.map(({ name }: { name: string }) => name)).toEqual(["look"]);
  }
});
