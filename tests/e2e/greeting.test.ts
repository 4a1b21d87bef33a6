// The second start of a server, whose initialize is answered before the bridge behind it is put together. The home stands
// beside the program, for /tmp is open to all and gets the judgement in full.
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

/** A server that notes what it is asked, and answers while it `isUp`. */
function serve() {
  const state = { isUp: true, seen: [] as string[] };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as { id?: number; method: string };
      state.seen.push(method);
      if (!state.isUp) return new Promise<Response>(() => undefined);
      if (id === undefined) return new Response(null, { status: 202 });
      const result =
        method === "initialize"
          ? {
              protocolVersion: "2025-06-18",
              capabilities: { tools: {} },
              serverInfo: { name: "s", version: "1" },
            }
          : { tools: [{ name: "look", inputSchema: { type: "object" } }] };
      return Response.json({ jsonrpc: "2.0", id, result });
    },
  });
  cleanups.push(() => server.stop(true));
  return { state, url: `http://127.0.0.1:${server.port}/mcp` };
}

function homeFor(url: string): string {
  const home = mkdtempSync(join(root, "node_modules", ".greeting-"));
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  const config = { version: 1, servers: { kb: { url, token: "a-token-of-some-length" } } };
  writeFileSync(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  return home;
}

/** One life of the program: what it wrote, and how it ended. `pieces` are written apart. */
async function life(home: string, pieces: readonly string[], { answers = 1, reads = true } = {}) {
  await using child = Bun.spawn([...programWords, "run", "--server", "kb"], {
    env: { PATH: process.env.PATH ?? "", HOME: home, CODEX_MCP_BRIDGE_HOME: home },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = child.stderr.text();
  let text = "";
  if (!reads) await child.stdout.cancel();
  for (const piece of pieces) {
    child.stdin.write(piece);
    child.stdin.flush();
    if (pieces.length > 1) await Bun.sleep(100);
  }
  if (reads)
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.split("\n").length > answers) child.stdin.end();
    }
  else child.stdin.end();
  const ids = text
    .split("\n")
    .slice(0, -1)
    .map((one) => JSON.parse(one).id);
  return { ids, text, code: await child.exited, stderr: await said };
}

const learn = (home: string) => life(home, [initialize + initialized + list], { answers: 2 });

test("the second start says what the first one said, and the server hears all of it, once", async () => {
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

test("a server that no longer answers does not hold up initialize, which has one answer", async () => {
  const { state, url } = serve();
  const home = homeFor(url);
  const [answer] = (await learn(home)).text.split("\n");
  state.isUp = false;
  const { text, code } = await life(home, [initialize]);
  expect(text).toBe(`${answer}\n`);
  expect(code).toBe(0);
});

test("initialize that comes in two halves, and late, has one answer", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  const halves = [initialize.slice(0, 40), initialize.slice(40), initialized, list];
  expect((await life(home, halves, { answers: 2 })).ids).toEqual([0, 1]);
  expect((await life(home, ["", initialize], { answers: 1 })).ids).toEqual([0]);
});

test("a reader that has left ends the bridge, and is no defect", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  const { code, stderr } = await life(home, [initialize], { reads: false });
  expect(code).toBeLessThan(2);
  expect(stderr).not.toContain("defect");
  expect(stderr).not.toContain("rror");
});

test("what is wrong with the entry by now is told in the answer to initialize", async () => {
  const { url } = serve();
  const home = homeFor(url);
  await learn(home);
  const file = join(home, "config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"token"', '"tokn"'));
  const { text } = await life(home, [initialize]);
  expect(JSON.parse(text).error.data.kind).toBe("configuration");
});
