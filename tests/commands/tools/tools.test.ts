import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { command as callCommand } from "../../../src/commands/tools/call.ts";
import { command as toolsCommand } from "../../../src/commands/tools/tools.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { lyingServer } from "../../support/lying-server.ts";
import { runProgram } from "../../support/program.ts";
import { Session } from "../../support/terminal.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

const secret = "canary-4c1d9e77";
const inputSchema = {
  type: "object",
  required: ["query"],
  properties: {
    query: { type: "string", description: "what to\nlook for" },
    limit: { type: "integer", default: 10 },
    mode: { enum: ["fast", "slow"] },
    filter: { type: "object", properties: { by: { type: "string" } } },
  },
};
const search = {
  name: "search",
  title: "Search the bank",
  description: "Finds\u001b[2J things.",
  annotations: { readOnlyHint: true },
  inputSchema,
};
const plain = (name: string) => ({ name, inputSchema: { type: "object" } });
const png = Buffer.from("an image").toString("base64");
const text = (line: string) => ({ type: "text", text: line });

/** A server with `search` and one tool for each of these results; it keeps the parameters of its calls. */
function serverOf(results: Record<string, object>) {
  const calls: { readonly name?: unknown; readonly arguments?: unknown }[] = [];
  const server = lyingServer({
    "tools/list": ({ cursor }) =>
      cursor === undefined
        ? { tools: [search], nextCursor: "2" }
        : { tools: Object.keys(results).map(plain) },
    "tools/call": (params: (typeof calls)[number]) => {
      calls.push(params);
      return results[String(params.name)] ?? { content: [text(JSON.stringify(params.arguments))] };
    },
  });
  return { ...server, calls };
}

function contextFor(url: string) {
  const file = join(folder.path, "config.json");
  const servers = { kb: { url, token: secret } };
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  return testContext({ env: { CODEX_MCP_BRIDGE_HOME: folder.path } });
}

async function outcomeOf(work: Promise<number | undefined>) {
  return work.catch((error) => {
    if (error instanceof BridgeError) return error;
    throw error;
  });
}

type CallValues = Partial<Parameters<typeof callCommand.run>[0]>;

/** Runs `call kb TOOL ...` in this process. */
async function called(url: string, tool: string, pairs: string[] = [], values: CallValues = {}) {
  const context = contextFor(url);
  const nothing = { server: undefined, args: undefined, json: false };
  const run = callCommand.run(
    { name: "kb", tool, arguments: pairs, ...nothing, ...values },
    context,
  );
  return { code: await outcomeOf(run), printed: context.printed, notes: context.notes };
}

const none = { server: undefined, combined: false };

describe("tools", () => {
  test("lists each tool with its parameters, of all pages", async () => {
    await using server = serverOf({ count: {} });
    const context = contextFor(server.url);
    await toolsCommand.run({ ...none, name: undefined, json: false }, context);
    expect(context.printed).toBe(`kb: 2 tools

search: Search the bank (read-only)
  Finds[2J things.
    query (string, required)
      what to
      look for
    limit (integer, default 10)
    mode ("fast" | "slow")
    filter (object)
      by (string)

count
`);
    expect(context.notes).toEqual([]);
  });

  test("--json holds the tools as the server wrote them", async () => {
    await using server = serverOf({ count: {} });
    const context = contextFor(server.url);
    await toolsCommand.run({ ...none, name: "kb", json: true }, context);
    expect(JSON.parse(context.printed)).toEqual({
      server: "kb",
      url: server.url,
      tools: [search, plain("count")],
    });
  });

  test("names what Codex would refuse, and lists the tools all the same", async () => {
    await using server = lyingServer({ "tools/list": { tools: [null, { name: "t" }, 5] } });
    const context = contextFor(server.url);
    const code = await toolsCommand.run({ ...none, name: "kb", json: false }, context);
    expect(code).toBe(0);
    expect(context.printed).toBe("kb: 3 tools\n\n#1 (no name)\n\nt\n\n#3 (no name)\n");
    expect(context.notes).toEqual([
      'warning: Codex would drop the whole list: "#1" is null; "t" has no inputSchema; "#3" is not an object',
      'hint: "tools": {"repair": true} in the server\'s entry leaves such tools out; the server\'s operator must correct the list; other clients may show it',
    ]);
  });

  test("--combined shows the names in a combined run; a server that fails costs its own alone", async () => {
    await using one = serverOf({ count: {} });
    await using two = serverOf({ ["x".repeat(70)]: {} });
    const servers = {
      one: { url: one.url },
      two: { url: two.url },
      gone: { url: two.url, tokenEnv: "NOT_SET" },
    };
    const file = join(folder.path, "config.json");
    writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
    const mapping = async (json: boolean) => {
      const context = testContext({ env: { CODEX_MCP_BRIDGE_HOME: folder.path } });
      const values = { name: undefined, server: undefined, combined: true, json };
      const code = await toolsCommand.run(values, context);
      return { code, printed: context.printed, notes: context.notes };
    };
    const { code, printed, notes } = await mapping(false);
    const short = `two__${"x".repeat(50)}_`;
    expect(printed.replace(/_[0-9a-f]{8}(?= )/, "_HASH8888")).toBe(
      [
        `${"one__search".padEnd(64)}  one: search`,
        `${"one__count".padEnd(64)}  one: count`,
        `${"two__search".padEnd(64)}  two: search`,
        `${short}HASH8888  two: ${"x".repeat(70)}`,
        "",
      ].join("\n"),
    );
    expect(code).toBe(3);
    expect(notes[0]).toContain("gone: ");
    const { tools } = JSON.parse((await mapping(true)).printed);
    expect(tools[1]).toEqual({ name: "one__count", server: "one", tool: "count" });
  }, 30_000);

  test.each(["name", "URL"])(
    "--combined with the %s of one server shows its names in a run of all",
    async (word) => {
      await using one = serverOf({ two__count: {} });
      const servers = { one: { url: one.url }, one__two: { url: "https://two.example/mcp" } };
      const file = join(folder.path, "config.json");
      writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
      const context = testContext({ env: { CODEX_MCP_BRIDGE_HOME: folder.path } });
      const name = word === "name" ? "one" : one.url;
      await toolsCommand.run({ name, server: undefined, combined: true, json: false }, context);
      expect(context.printed).toMatch(/^one__two-count_[0-9a-f]{8} {2}one: two__count$/m);
    },
    30_000,
  );
});

describe("call", () => {
  test("sends typed arguments and prints the text", async () => {
    await using server = serverOf({});
    const pairs = ["query=x", "limit=5", "filter[by]=me"];
    const { code, printed } = await called(server.url, "search", pairs);
    expect(printed).toBe('{"query":"x","limit":5,"filter":{"by":"me"}}\n');
    expect(code).toBe(0);
    expect(server.calls).toMatchObject([{ name: "search", _meta: { progressToken: 1 } }]);
  });

  test.each<[string, string[], CallValues]>([
    ["a value that does not fit", ["query=x", "limit=many"], {}],
    ["a missing parameter", ["limit=5"], {}],
    ["an unknown parameter", ["query=x", "lmit=5"], {}],
    ["a word without =", ["query"], {}],
    ["arguments that are no object", [], { args: "[1]" }],
    ["arguments that are no JSON", [], { args: "{" }],
    ["a file that does not exist", [], { args: "@/nowhere/arguments.json" }],
    ["a device without end", [], { args: "@/dev/zero" }],
    ["both forms of arguments", ["query=x"], { args: "{}" }],
    ["an unknown tool", [], { tool: "serach" }],
    ["no tool", [], { tool: undefined }],
  ])("%s is wrong usage, and nothing is sent", async (_, pairs, values) => {
    await using server = serverOf({});
    const { code } = await called(server.url, "search", pairs, values);
    expect(code).toMatchObject({ kind: "usage", exitCode: 2 });
    expect(server.calls).toEqual([]);
  });

  test("--args is sent as it is, from the command line or a file", async () => {
    await using server = serverOf({});
    const file = join(folder.path, "arguments.json");
    writeFileSync(file, '{"n":\n1.0}');
    for (const args of ['{"n":\n1.0}', `@${file}`]) {
      const { printed } = await called(server.url, "search", [], { args });
      expect(printed).toBe('{"n":1}\n');
    }
  });

  test("--args - reads stdin, and --server may stand for NAME", async () => {
    await using server = serverOf({});
    contextFor(server.url);
    const ended = await runProgram(["call", "--server", "kb", "search", "--args", "-"], {
      env: { CODEX_MCP_BRIDGE_HOME: folder.path },
      stdin: '{"from":"a pipe"}',
    });
    expect(ended).toEqual({ code: 0, stdout: '{"from":"a pipe"}\n', stderr: "" });
  });

  test("a tool that reports an error is exit 1, with its text on stdout", async () => {
    await using server = serverOf({ fail: { isError: true, content: [text("no such table")] } });
    const { code, printed } = await called(server.url, "fail");
    expect(printed).toBe("no such table\n");
    expect(code).toMatchObject({ exitCode: 1, message: 'the tool "fail" reported an error' });
    const json = await called(server.url, "fail", [], { json: true });
    expect(json.code).toBe(1);
    expect(JSON.parse(json.printed)).toMatchObject({ isError: true });
  });

  test("a structured result is printed where no text says the same", async () => {
    const structuredContent = { rows: 2 };
    await using server = serverOf({
      alone: { content: [], structuredContent },
      twice: { content: [text('{ "rows": 2 }')], structuredContent },
      both: { content: [text("two rows")], structuredContent },
    });
    expect((await called(server.url, "alone")).printed).toBe('{\n  "rows": 2\n}\n');
    expect((await called(server.url, "twice")).printed).toBe('{ "rows": 2 }\n');
    expect((await called(server.url, "both")).printed).toBe('two rows\n{\n  "rows": 2\n}\n');
  });

  test("a secret of ours in the result is not printed", async () => {
    await using server = serverOf({ leak: { content: [text(`token ${secret}`)] } });
    for (const json of [false, true]) {
      const { printed } = await called(server.url, "leak", [], { json });
      expect(printed).toContain("token ...");
    }
  });
});

describe("images, audio and blobs", () => {
  /** Runs the program in the folder, where it saves files. */
  const run = (...words: string[]) =>
    runProgram(words, { env: { CODEX_MCP_BRIDGE_HOME: folder.path }, cwd: folder.path });

  test("are saved in files of their own, readable by their owner alone, never over another", async () => {
    await using server = serverOf({
      "../chart": {
        content: [
          { type: "image", mimeType: "image/png", data: png },
          { type: "audio", mimeType: "audio/wav", data: png },
          { type: "resource", resource: { uri: "x://../y.sh", mimeType: "text/x-sh", blob: png } },
        ],
      },
    });
    contextFor(server.url);
    symlinkSync("/nowhere/target", join(folder.path, "_chart.png"));
    writeFileSync(join(folder.path, "_chart.bin"), "mine");
    const { code, stdout, stderr } = await run("call", "kb", "../chart");
    expect(code).toBe(0);
    expect(stdout).toBe("");
    expect(stderr.split("\n").filter((line) => line.startsWith("saved "))).toHaveLength(3);
    for (const name of ["_chart-2.png", "_chart.wav", "_chart-2.bin"]) {
      expect(stderr).toContain(name);
      const path = join(folder.path, name);
      expect(readFileSync(path, "utf8")).toBe("an image");
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(join(folder.path, "_chart.bin"), "utf8")).toBe("mine");
    expect(existsSync("/nowhere")).toBe(false);
  });

  test("data that is not base64 is told, and is exit 1", async () => {
    await using server = serverOf({ bad: { content: [{ type: "image", data: "%%" }, text("t")] } });
    contextFor(server.url);
    const before = readdirSync(folder.path);
    const { code, stdout, stderr } = await run("call", "kb", "bad");
    expect([code, stdout]).toEqual([1, "t\n"]);
    expect(stderr).toContain("not base64");
    expect(readdirSync(folder.path).filter((name) => /^bad/.test(name))).toEqual([]);
    expect(before).not.toBeEmpty();
  });
});

test("on a terminal a server's control characters are not written, and its progress is", async () => {
  const events = [
    { method: "notifications/progress", params: { progressToken: 1, progress: 3, total: 9 } },
    { id: 0, result: { content: [text("one\u001b[2J\u202e\n  two")] } },
  ];
  const seen = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { id, method } = (await request.json().catch(() => ({}))) as Record<string, unknown>;
      if (id === undefined) return new Response(null, { status: 202 });
      const list = { tools: [plain("slow")] };
      const begun = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: {} };
      if (method !== "tools/call")
        return Response.json({
          jsonrpc: "2.0",
          id,
          result: method === "initialize" ? begun : list,
        });
      const body = new ReadableStream({
        async start(stream) {
          const [progress, result] = events;
          const write = (message: object) =>
            stream.enqueue(`data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
          write(progress!);
          await seen.promise;
          write({ ...result, id });
          stream.close();
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
  });
  contextFor(`http://127.0.0.1:${server.port}/mcp`);
  await using session = new Session(["call", "kb", "slow"], {
    CODEX_MCP_BRIDGE_HOME: folder.path,
    LANG: "C.UTF-8",
  });
  await session.sees("3/9");
  seen.resolve();
  await session.sees("one[2J");
  await session.sees("  two");
  expect(await session.ended).toBe(0);
  expect(session.painted).not.toContain("\u202e");
  await server.stop(true);
});
