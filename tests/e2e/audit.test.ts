// The audit of the whole program: after a kill, and where a call could go around it.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { programWords, runProgram } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";
import { withHandshake } from "../support/streamable.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

function configure(url: URL): void {
  const entry = { url: url.href, token: "canary-token-0001", audit: { file: "audit.jsonl" } };
  const file = join(folder.path, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers: { kb: entry } }), { mode: 0o600 });
}

const env = () => ({ HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path });

test("after kill -9 every call that reached the server has its first line", async () => {
  const reached: number[] = [];
  const all = Promise.withResolvers<void>();
  const url = serveHttp(
    withHandshake((_, { method, params }) => {
      if (method !== "tools/call") return new Response(null, { status: 405 });
      reached.push((params as { arguments: { n: number } }).arguments.n);
      if (reached.length === 20) all.resolve();
      return new Promise<Response>(() => undefined);
    }),
  );
  configure(url);
  const child = Bun.spawn([...programWords, "run", "--server", "kb"], {
    env: { PATH: process.env.PATH ?? "", ...env() },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  const send = (message: object) =>
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const clientInfo = { name: "t", version: "1" };
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
  send({ id: 1, method: "initialize", params });
  send({ method: "notifications/initialized" });
  for (let n = 2; n < 40; n++)
    send({ id: n, method: "tools/call", params: { name: "look", arguments: { n } } });
  await child.stdin.flush();
  await all.promise;
  child.kill("SIGKILL");
  await child.exited;
  const ids = readFileSync(join(folder.path, "audit.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === "call")
    .map(({ id }) => Number(id));
  for (const n of reached) expect(ids).toContain(n);
});

test.each([[["headers"]], [["codex-config", "--native", "--command", process.execPath]]])(
  "%j leads no call around the audit",
  async (words) => {
    configure(new URL("https://kb.example/mcp"));
    const ended = await runProgram([...words, "--server", "kb"], { env: env() });
    expect(ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("audit") });
  },
);

test("in a combined run each server writes its own audit, with its own tool names", async () => {
  await using one = listingServer(listing());
  await using two = listingServer(listing());
  const servers = {
    one: { url: one.url, audit: { file: "one.jsonl" } },
    two: { url: two.url, audit: { file: "two.jsonl" } },
  };
  const config = JSON.stringify({ version: 1, servers });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
  const child = Bun.spawn([...programWords, "run", "--all"], {
    env: { PATH: String(process.env["PATH"]), ...env() },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = child.stdout.getReader();
  let text = "";
  const ask = async (id: number, method: string, params: object) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    await child.stdin.flush();
    while (!text.includes(`"id":${id}`))
      text += new TextDecoder().decode((await reader.read()).value);
  };
  const clientInfo = { name: "t", version: "1" };
  await ask(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  await ask(2, "tools/list", {});
  for (const [id, name] of ["one", "two", "one"].entries())
    await ask(10 + id, "tools/call", { name: `${name}__look`, arguments: {} });
  await child.stdin.end();
  await child.exited;
  const linesOf = (name: string) =>
    readFileSync(join(folder.path, `${name}.jsonl`), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  for (const [name, count] of Object.entries({ one: 2, two: 1 })) {
    const calls = linesOf(name).filter(({ event }) => event === "call");
    expect(calls).toHaveLength(count);
    for (const call of calls)
      expect(call).toMatchObject({ server: name, tool: "look", client: "t" });
    const ends = linesOf(name).filter(({ event }) => event === "end");
    expect(ends.map(({ outcome }) => outcome)).toEqual(calls.map(() => "ok"));
  }
  const runs = new Set([...linesOf("one"), ...linesOf("two")].map(({ run }) => run));
  expect(runs.size).toBe(1);
});
