// A record of a failing server shows the failure where the server is not: `run --record`, then `replay`.
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { programWords, runProgram } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";
import { SseServer } from "../support/sse-server.ts";
import { serveStateless } from "../support/stateless-server.ts";
import { withHandshake } from "../support/streamable.ts";

const stateless = serveStateless();
afterAll(() => stateless[Symbol.asyncDispose]());

let folder: ReturnType<typeof ownFolder>;
let record: string;
beforeEach(() => {
  folder = ownFolder();
  record = join(folder.path, "record.jsonl");
});
afterEach(() => folder[Symbol.dispose]());

const canary = "canary-token-0001";
const env = () => ({ HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path });
const clientInfo = { name: "t", version: "1" };
const initialize = {
  id: "one",
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo },
};
const call = { id: "two", method: "tools/call", params: { name: "work", arguments: {} } };
const linesOf = (messages: readonly object[]) =>
  messages.map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`).join("");
const session = linesOf([initialize, { method: "notifications/initialized" }, call]);

const messagesIn = (stdout: string) =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** A server whose tool answers with a page. */
const faulty = () =>
  serveHttp(
    withHandshake((_, { method }) =>
      method === "tools/call"
        ? new Response(`<html>${canary}</html>`, { headers: { "content-type": "text/html" } })
        : new Response(null, { status: 405 }),
    ),
  );

function configure(url: URL): void {
  const servers = { kb: { url: url.href, token: canary } };
  const config = JSON.stringify({ version: 1, servers });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
}

interface Recorded {
  readonly url: URL;
  readonly words: readonly string[];
  /** A part of the answer to the call. */
  readonly shown: string;
}

const sse = () =>
  new SseServer({
    respond: ({ id }) => ({ id, error: { code: -32000, message: `broken ${canary}` } }),
  });

test.each<[string, () => Recorded]>([
  ["session", () => ({ url: faulty(), words: ["--server", "kb"], shown: "text/html" })],
  ["HTTP+SSE", () => ({ url: sse().url, words: ["--server", "kb"], shown: "broken ..." })],
  [
    "stateless",
    () => ({ url: new URL(stateless.url), words: ["--server", "kb"], shown: '"worked"' }),
  ],
  [
    "ad hoc",
    () => {
      const url = faulty();
      const header = `Authorization: Bearer ${canary}`;
      return { url, words: [url.href, "--header", header], shown: "text/html" };
    },
  ],
])("run --record, then replay to a client with other ids: %s server", async (_, server) => {
  const { url, words, shown } = server();
  configure(url);
  const live = await runProgram(["run", ...words, "--record", record], {
    env: env(),
    stdin: session,
  });
  expect(statSync(record).mode & 0o777).toBe(0o600);
  expect(readFileSync(record, "utf8")).not.toContain(canary);
  const other = session.replaceAll('"one"', "11").replaceAll('"two"', "22");
  const home = { HOME: "/nonexistent" };
  const again = await runProgram(["replay", record], { env: home, stdin: other });
  const ids: Record<string, string> = { "11": "one", "22": "two" };
  const replayed = messagesIn(again.stdout).map((message) =>
    message.id === undefined ? message : { ...message, id: ids[message.id] },
  );
  expect(replayed).toEqual(messagesIn(live.stdout.replaceAll(canary, "...")));
  expect(again.stdout).toContain(shown);
  expect(again.stderr).toContain("replaying run ");
  expect(again.code).toBe(0);
});

test("a killed run leaves everything up to then", async () => {
  const reached = Promise.withResolvers<void>();
  const url = serveHttp(
    withHandshake((_, { method }) => {
      if (method === "tools/call") reached.resolve();
      return new Promise<Response>(() => undefined);
    }),
  );
  configure(url);
  await using child = Bun.spawn([...programWords, "run", "--server", "kb", "--record", record], {
    env: { ...env(), PATH: String(process.env["PATH"]) },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  child.stdin.write(session);
  await child.stdin.flush();
  await Promise.all([reached.promise, child.stdout.getReader().read()]);
  child.kill("SIGKILL");
  await child.exited;
  const again = await runProgram(["replay", record], { env: env(), stdin: session });
  const answerTo = (id: string) => messagesIn(again.stdout).find((message) => message.id === id);
  expect(answerTo("one").result.serverInfo).toEqual({ name: "s", version: "1" });
  expect(answerTo("two").error.data.kind).toBe("outcome-unknown");
});

test.each([
  [["replay", "none.jsonl"], 3, "ENOENT"],
  [["replay"], 2, "needs FILE"],
])("%j ends with a clear error", async (words, code, why) => {
  const ended = await runProgram(words, { env: env(), cwd: folder.path });
  expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(why) });
});

test("neither a record nor an audit shows a secret that the client's first messages hold", async () => {
  const audit = { file: "audit.jsonl", arguments: "full" };
  const servers = { kb: { url: faulty().href, token: canary, audit } };
  const file = join(folder.path, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const named = { ...initialize.params, clientInfo: { name: canary, version: canary } };
  const calls = [
    { ...initialize, params: named },
    { id: canary, method: "tools/call", params: { name: canary, arguments: { key: canary } } },
  ];
  const words = ["run", "--server", "kb", "--record", record, "--no-cache"];
  await runProgram(words, { env: env(), stdin: linesOf(calls) });
  for (const written of [record, join(folder.path, "audit.jsonl")]) {
    const text = readFileSync(written, "utf8");
    expect(text).toContain('"..."');
    expect(text).not.toContain(canary);
  }
});
