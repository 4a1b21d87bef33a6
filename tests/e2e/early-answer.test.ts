// The second start of a server, whose initialize is answered before the bridge behind it is put together. The home does
// not stand in /tmp, which is open to all and gets the judgement in full.
import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listing, listingServer } from "../support/listing-server.ts";
import { programWords } from "../support/program.ts";

const root = join(import.meta.dir, "../..");
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const initialize = line({
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  },
});
const initialized = line({ method: "notifications/initialized" });
const list = line({ id: 1, method: "tools/list" });

function line(message: object): string {
  return `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
}

function serve() {
  const state = listing();
  const server = listingServer(state);
  cleanups.push(server[Symbol.asyncDispose]);
  return { state, url: server.url };
}

function homeFor(url: string, entry: object = { token: "a-token-of-some-length" }): string {
  mkdirSync(join(root, "dist"), { recursive: true });
  const home = mkdtempSync(join(root, "dist", "greeting-"));
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  const config = { version: 1, servers: { kb: { url, ...entry } } };
  writeFileSync(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  return home;
}

function startIn(home: string, program = programWords, more: readonly string[] = []) {
  return Bun.spawn([...program, "run", "--server", "kb", ...more], {
    env: { PATH: process.env.PATH ?? "", HOME: home, CODEX_MCP_BRIDGE_HOME: home },
    cwd: home,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

interface Life {
  /** Lines after which the input ends. */
  readonly answers?: number;
  /** Called at the first byte of output. */
  readonly atFirst?: (pid: number) => unknown;
  readonly program?: readonly string[];
  readonly more?: readonly string[];
}

/** One life of the program: what it wrote, and how it ended. Several pieces are written apart. */
async function life(home: string, pieces: readonly string[], options: Life = {}) {
  const { answers = 1, atFirst, program, more } = options;
  await using child = startIn(home, program, more);
  const said = child.stderr.text();
  let text = "";
  for (const piece of pieces) {
    child.stdin.write(piece);
    child.stdin.flush();
    if (pieces.length > 1) await Bun.sleep(100);
  }
  for await (const chunk of child.stdout) {
    if (text === "") await atFirst?.(child.pid);
    text += new TextDecoder().decode(chunk);
    if (text.split("\n").length > answers) child.stdin.end();
  }
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((one) => JSON.parse(one));
  const code = await child.exited;
  return { lines, ids: lines.map(({ id }) => id), text, code, stderr: await said };
}

const learn = (home: string) => life(home, [initialize + initialized + list], { answers: 2 });

test("the answer to initialize is sent before the rest of the program is loaded", async () => {
  const { url } = serve();
  const home = homeFor(url);
  const [go, preload] = [join(home, "go"), join(home, "preload.ts")];
  // Nothing is wrong with the folders above, wherever this stands, and cli/main.ts is not there before `go` is.
  writeFileSync(
    preload,
    `import { trustingFile } from ${JSON.stringify(join(root, "tests/support/trusting-file.ts"))};
const file = Bun.file;
Bun.file = trustingFile(${JSON.stringify(home)});
Bun.plugin({ name: "late", setup(build) {
  build.onLoad({ filter: /src\\/cli\\/main\\.ts$/ }, async ({ path }) => {
    while (!(await file(${JSON.stringify(go)}).exists())) await Bun.sleep(5);
    return { contents: await file(path).text(), loader: "ts" };
  });
} });`,
  );
  const program = [process.execPath, "--preload", preload, join(root, "bridge.ts")];
  writeFileSync(go, "");
  const whole = { answers: 2, program };
  expect((await life(home, [initialize + initialized + list], whole)).ids).toEqual([0, 1]);
  rmSync(go);
  let wasThere = true;
  const atFirst = async () => {
    wasThere = await Bun.file(go).exists();
    writeFileSync(go, "");
  };
  const second = await life(home, [initialize + initialized + list], { ...whole, atFirst });
  expect(wasThere).toBe(false);
  expect(second.ids).toEqual([0, 1]);
  expect(second.code).toBe(0);
});

test("the second start gives the same answer as the first, and the server gets each request once", async () => {
  const { state, url } = serve();
  const home = homeFor(url);
  const first = await learn(home);
  expect(first.ids).toEqual([0, 1]);
  state.seen.length = 0;
  const second = await learn(home);
  expect(second.text).toBe(first.text);
  expect(second.code).toBe(0);
  expect(state.seen).toEqual(["initialize", "notifications/initialized", "tools/list"]);
});

test("a server that no longer answers does not delay initialize, which is answered once", async () => {
  const { state, url } = serve();
  const home = homeFor(url);
  const [answer] = (await learn(home)).text.split("\n");
  state.answers = false;
  const { text, code } = await life(home, [initialize]);
  expect(text).toBe(`${answer}\n`);
  expect(code).toBe(0);
});

test("an initialize that arrives late and in two chunks is answered once", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  const halves = [initialize.slice(0, 40), initialize.slice(40), initialized, list];
  expect((await life(home, halves, { answers: 2 })).ids).toEqual([0, 1]);
  expect((await life(home, ["", initialize])).ids).toEqual([0]);
});

test("if a file that the entry names vanishes after the early answer, only the next call reports it", async () => {
  const { url } = serve();
  const tokenFile = "token";
  const home = homeFor(url, { tokenFile });
  const file = join(home, tokenFile);
  writeFileSync(file, "a-token-of-some-length", { mode: 0o600 });
  await learn(home);
  const atFirst = () => rmSync(file);
  const { lines } = await life(home, [initialize + initialized + list], { answers: 2, atFirst });
  expect(lines.map(({ id }) => id)).toEqual([0, 1]);
  expect(lines[0].result).toBeDefined();
});

test("after a signal at the first answer every request is answered", async () => {
  const { state, url } = serve();
  const home = homeFor(url);
  await learn(home);
  state.answers = false;
  const atFirst = (pid: number) => process.kill(pid, "SIGTERM");
  const ended = await life(home, [initialize + initialized + list], { answers: 2, atFirst });
  expect(ended.ids).toEqual([0, 1]);
  expect(ended.code).toBe(143);
  expect(ended.stderr).toContain("closed by=signal");
});

test("an unreadable stdin is an error, not a crash", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  for (const mode of [0o600, 0o644]) {
    chmodSync(join(home, "config.json"), mode);
    const words = [...programWords, "run", "--server", "kb"].map((word) => `'${word}'`).join(" ");
    await using child = Bun.spawn(["sh", "-c", `exec ${words} <'${home}'`], {
      env: { PATH: process.env.PATH ?? "", HOME: home, CODEX_MCP_BRIDGE_HOME: home },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect(stdout).toBe("");
    expect(stderr).toContain("EISDIR");
    expect(stderr).not.toContain(" at ");
    expect(await child.exited).toBeGreaterThan(0);
  }
});

test("a closed stdout ends the bridge without an internal error", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  await using child = startIn(home);
  await child.stdout.cancel();
  const said = child.stderr.text();
  child.stdin.write(initialize);
  child.stdin.flush();
  expect(await child.exited).toBe(1);
  expect(await said).toContain("closed by=reader");
  expect(await said).not.toContain("rror");
});

test("the answer to initialize reports an entry that has become invalid", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  const file = join(home, "config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"token"', '"tokn"'));
  const { lines } = await life(home, [initialize]);
  expect(lines.map(({ error }) => error.data.kind)).toEqual(["configuration"]);
});

test("an option is not taken as the value of another option, even if a file has its name", async () => {
  const { url } = serve();
  const home = homeFor(url);
  writeFileSync(join(home, "--no-cache"), readFileSync(join(home, "config.json")), { mode: 0o600 });
  const both = [initialize + initialized + list];
  const named = ["--config-path", "./--no-cache"];
  expect((await life(home, both, { answers: 2, more: named })).ids).toEqual([0, 1]);
  const { lines } = await life(home, [initialize], { more: ["--config-path", "--no-cache"] });
  expect(lines).toHaveLength(1);
  expect(lines[0].error.message).toContain("--config-path needs a value");
});
