// What the log tells at each level, and that no level ever tells a value.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { type Ended, runProgram } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";

const canaries = {
  token: "canary-token-4c1d9e",
  header: "canary-header-77ab02",
  query: "canary-query-90fe1b",
  argument: "canary-argument-31c2d4",
  result: "canary-result-5be8a6",
  session: "canary-session-0d7f93",
};

interface LogLine {
  readonly event?: unknown;
  readonly id?: unknown;
  readonly method?: unknown;
  readonly headers?: unknown;
  readonly answered?: unknown;
  readonly [name: string]: unknown;
}

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** A server whose every answer carries what must not be shown; `/401` refuses, and quotes the credential. */
function server(): URL {
  return serveHttp(async (request) => {
    const quoted = request.headers.get("authorization");
    if (new URL(request.url).pathname === "/401") return new Response(quoted, { status: 401 });
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as { id?: unknown; method: string };
    const headers = { "mcp-session-id": canaries.session, "set-cookie": canaries.session };
    if (id === undefined) return new Response(null, { status: 202, headers });
    const result =
      method === "initialize"
        ? {
            protocolVersion: "2025-06-18",
            capabilities: { tools: {} },
            serverInfo: { name: canaries.result, version: "1" },
          }
        : { content: [{ type: "text", text: canaries.result }] };
    return Response.json({ jsonrpc: "2.0", id, result }, { headers });
  });
}

const session = [
  {
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "c", version: "1" },
    },
  },
  { method: "notifications/initialized" },
  {
    id: "two",
    method: "tools/call",
    params: { name: "find", arguments: { q: canaries.argument } },
  },
]
  .map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  .join("");

function run(url: URL, ...words: string[]): Promise<Ended> {
  const address = new URL(url);
  address.searchParams.set("key", canaries.query);
  const { token, header } = canaries;
  const entry = { url: address.href, token, headers: { "X-Api-Key": header } };
  const file = join(folder.path, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers: { kb: entry } }), { mode: 0o600 });
  const options = { env: { HOME: folder.path }, stdin: session };
  return runProgram(["run", "--config-path", file, "--no-cache", ...words], options);
}

test("level info logs only connect and end", async () => {
  const { code, stderr } = await run(server());
  const lines = stderr.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  const [connected, closed] = lines.map((line) => line.replace(/ run=[0-9a-f]{12}$/, ""));
  expect(connected).toEndWith("INFO  connected server=kb protocol=session revision=2025-06-18");
  expect(closed).toEndWith("INFO  closed by=eof");
  expect(code).toBe(0);
});

test("level debug logs method, id, status, sizes, times and header names of each request", async () => {
  const { stderr } = await run(server(), "--log-level", "debug", "--log-format", "json");
  const lines = stderr.split("\n").filter((line) => line !== "");
  const events = lines.map((line) => JSON.parse(line) as LogLine);
  const call = events.find((event) => event.event === "answered" && event.id === '"two"');
  expect(call).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    level: "debug",
    event: "answered",
    id: '"two"',
    method: "tools/call",
    ms: expect.any(Number),
    bytes: expect.any(Number),
    error: false,
    run: expect.stringMatching(/^[0-9a-f]{12}$/),
  });
  expect(new Set(events.map(({ run }) => run)).size).toBe(1);
  const posts = events.filter((event) => event.event === "http" && event.method === "POST");
  expect(posts.length).toBeGreaterThanOrEqual(3);
  for (const post of posts) {
    expect(post).toMatchObject({
      server: "kb",
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/mcp\?key=\.\.\.$/),
      status: expect.any(Number),
      ms: expect.any(Number),
      sent: expect.any(Number),
    });
    expect(String(post.headers).split(",")).toContain("x-api-key");
    expect(String(post.headers).split(",")).toContain("authorization");
    expect(String(post.answered).split(",")).toContain("mcp-session-id");
  }
});

test.each([
  ["text", "/mcp"],
  ["json", "/mcp"],
  ["text", "/401"],
  ["json", "/401"],
])(
  "level trace in format %s logs no values of headers, query, arguments and results: %s",
  async (format, path) => {
    const file = join(folder.path, "log");
    const words = ["--log-level", "trace", "--log-format", format, "--log-file", file];
    const { stderr } = await run(new URL(path, server()), ...words);
    const written = await Bun.file(file).text();
    expect(written).not.toBe("");
    // The redaction leaves JSON what it is.
    if (format === "json") for (const line of written.trimEnd().split("\n")) JSON.parse(line);
    for (const text of [stderr, written])
      for (const canary of Object.values(canaries)) {
        expect(text).not.toContain(canary);
        expect(text).not.toContain(btoa(canary).replace(/=+$/, ""));
      }
  },
);

test("the log file is rotated at 10 MB, and both files are 0600", async () => {
  const file = join(folder.path, "log");
  writeFileSync(file, "", { mode: 0o600 });
  truncateSync(file, 10 * 1024 * 1024 + 1);
  await run(server(), "--log-file", file);
  expect(statSync(`${file}.1`).size).toBe(10 * 1024 * 1024 + 1);
  expect(await Bun.file(file).text()).toContain("connected");
  for (const path of [file, `${file}.1`]) expect(statSync(path).mode & 0o777).toBe(0o600);
});
