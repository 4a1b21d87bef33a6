import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Listing, listing, listingServer } from "../support/listing-server.ts";
import { programWords, runProgram } from "../support/program.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function serve(state: Listing): string {
  const server = listingServer(state);
  cleanups.push(server[Symbol.asyncDispose]);
  return server.url;
}

function homeFor(url: string): string {
  const home = mkdtempSync(join(tmpdir(), "bridge-catalog-"));
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  const token = "a-token-of-some-length";
  const config = { version: 1, servers: { kb: { url, token } } };
  writeFileSync(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  return home;
}

/** One life of the program: initialize, tools/list, end. */
async function life(home: string, ...options: string[]): Promise<string[]> {
  await using child = Bun.spawn([...programWords, "run", "--server", "kb", ...options], {
    env: { PATH: process.env.PATH ?? "", HOME: home, CODEX_MCP_BRIDGE_HOME: home },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const say = (message: object) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    child.stdin.flush();
  };
  const clientInfo = { name: "t", version: "1" };
  say({
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo },
  });
  const lines: string[] = [];
  let rest = "";
  for await (const chunk of child.stdout) {
    rest += new TextDecoder().decode(chunk);
    const whole = rest.split("\n");
    rest = whole.pop()!;
    lines.push(...whole);
    if (whole.length > 0 && lines.length === 1) {
      say({ method: "notifications/initialized" });
      say({ id: 1, method: "tools/list" });
    }
    if (lines.length === 2) break;
  }
  child.kill("SIGTERM");
  await child.exited;
  return lines;
}

test("the next start lists the tools of a server that no longer answers", async () => {
  const state = listing();
  const home = homeFor(serve(state));
  const first = await life(home);
  expect(first[1]).toContain('"look"');
  state.answers = false;
  expect(await life(home)).toEqual(first);
});

test("the catalog holds no secret", async () => {
  const home = homeFor(serve(listing()));
  await life(home);
  const kept = readFileSync(join(home, "cache", "kb.json"), "utf8");
  expect(kept).toContain("look");
  expect(kept).not.toContain("a-token-of-some-length");
});

test("--no-cache stores no catalog", async () => {
  const state = listing();
  const home = homeFor(serve(state));
  await life(home, "--no-cache");
  expect(() => readFileSync(join(home, "cache", "kb.json"))).toThrow("ENOENT");
});

test("test queries the server, and stores the catalog for the next start", async () => {
  const state = listing();
  const home = homeFor(serve(state));
  const env = { HOME: home, CODEX_MCP_BRIDGE_HOME: home };
  const file = join(home, "cache", "kb.json");
  expect((await runProgram(["test"], { env })).code).toBe(0);
  expect(readFileSync(file, "utf8")).toContain("look");
  state.status = 404;
  const { code, stdout } = await runProgram(["test"], { env });
  expect(stdout).toContain("Server not found");
  expect(code).toBe(1);
  expect(readFileSync(file, "utf8")).toContain("look");
});

test("a server that now agrees to another revision is used with the new revision", async () => {
  const state = listing();
  const home = homeFor(serve(state));
  const [told] = await life(home);
  expect(state.spoken).toBe("2025-06-18");
  state.revision = "2025-03-26";
  expect((await life(home))[0]).toBe(told!);
  expect(state.spoken).toBe("2025-03-26");
});
