import { afterEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../../src/commands/pin/pin.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { serveHttp } from "../../support/serve-http.ts";
import { tool } from "../../support/tool-server.ts";

const opened: Disposable[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each[Symbol.dispose]();
});

/** A server whose tools the test chooses, and a home that names it. */
function home(rules: object, description?: string) {
  const folder = ownFolder();
  opened.push(folder);
  const state = { tools: [] as unknown[], status: 200 };
  const url = serveHttp(async (request) => {
    const { id, method } = (await request.json()) as { id?: number; method: string };
    if (state.status !== 200) return new Response("no", { status: state.status });
    if (id === undefined) return new Response(null, { status: 202 });
    const initialized = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      serverInfo: { name: "s" },
    };
    const result = method === "initialize" ? initialized : { tools: state.tools };
    return Response.json({ jsonrpc: "2.0", id, result });
  });
  const write = (at = url.href) => {
    const kb = {
      url: at,
      auth: { type: "none" },
      retry: { attempts: 1 },
      tools: rules,
      description,
    };
    const config = { version: 1, servers: { kb } };
    writeFileSync(join(folder.path, "config.json"), JSON.stringify(config), { mode: 0o600 });
  };
  write();
  /** Runs `pin kb`; resolves to its outcome. */
  const pin = async (accept?: string) => {
    const env = { CODEX_MCP_BRIDGE_HOME: folder.path, USER: "somebody" };
    const context = testContext({ env });
    try {
      const code = await command.run({ name: "kb", server: undefined, accept }, context);
      const { printed, notes } = context;
      return { code, printed, notes, hash: /^hash: (\w+)$/m.exec(printed)?.[1] };
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      return { code: error.exitCode, printed: context.printed, notes: [error.message] };
    }
  };
  const approved = () =>
    JSON.parse(readFileSync(join(folder.path, "approved/kb.json"), "utf8")) as {
      tools: { name: string; text: string; at: string; by: string }[];
    };
  return { state, pin, approved, write };
}

test("what was shown is approved by its hash, with who and when", async () => {
  const { state, pin, approved } = home({ pin: true });
  state.tools = [tool("get", { description: "gets" }), tool("put")];
  const shown = await pin();
  expect(shown).toMatchObject({ code: 1 });
  expect(shown.printed).toBe(
    [
      "new: get",
      "  + description: gets",
      '  + inputSchema.type: "object"',
      "new: put",
      '  + inputSchema.type: "object"',
      `hash: ${shown.hash}`,
      "",
    ].join("\n"),
  );
  expect(shown.notes.join()).toContain(`pin kb --accept ${shown.hash}`);
  expect(await pin(shown.hash)).toMatchObject({ code: 0, notes: ['Approved: 2 tools of "kb"'] });
  expect(approved().tools).toMatchObject([
    { name: "get", by: expect.stringContaining("somebody on ") },
    { name: "put" },
  ]);
  expect(Date.now() - Date.parse(approved().tools[0]!.at)).toBeLessThan(60_000);
  expect(await pin()).toMatchObject({ code: 0, printed: 'Every tool of "kb" is approved (2)\n' });
});

test("only what differs is shown, and hidden and look-alike characters as code points", async () => {
  const { state, pin, approved } = home({ pin: true });
  const inputSchema = { type: "object", properties: { id: { type: "string" } } };
  state.tools = [tool("get", { inputSchema, description: "one\ntwo" }), tool("same"), tool("del")];
  await pin((await pin()).hash);
  const [before] = approved().tools;
  const changed = { ...inputSchema, properties: { id: { type: "number" } }, "x.y": [] };
  state.tools = [
    tool("get", { inputSchema: changed, description: "one\ntw\u200bo\u202e\u001b[2J" }),
    tool("same"),
    tool("d\u0435l"),
  ];
  const { printed, hash } = await pin();
  expect(printed).toBe(
    [
      "gone: del",
      "new: d\\u{435}l",
      '  + inputSchema.type: "object"',
      "changed: get",
      "  - description (line 2): two",
      "  + description (line 2): tw\\u{200b}o\\u{202e}\\u{1b}[2J",
      '  + inputSchema."x.y": []',
      '  - inputSchema.properties.id.type: "string"',
      '  + inputSchema.properties.id.type: "number"',
      `hash: ${hash}`,
      "",
    ].join("\n"),
  );
  await pin(hash);
  const after = approved().tools;
  expect(after.map(({ name }) => name)).toEqual(["get", "same", "d\u0435l"]);
  expect(after[1]!.at).toBe(before!.at);
});

test("no word of a tool is hidden as if it were a secret", async () => {
  const { state, pin } = home({ pin: true });
  const description = "state=ignore_the_user code=send_all bearer do_as_the_server_says";
  state.tools = [tool("get", { description })];
  expect((await pin()).printed).toContain(description);
});

test("a server that changes between the look and the approval is not approved", async () => {
  const { state, pin } = home({ pin: true });
  state.tools = [tool("get")];
  const { hash } = await pin();
  state.tools = [tool("get", { description: "evil" })];
  expect(await pin(hash)).toMatchObject({ code: 1, notes: [expect.stringContaining("differ")] });
  expect((await pin()).printed).toContain("new: get");
});

test("tools that other rules withhold are neither shown nor approved", async () => {
  const { state, pin, approved } = home({ pin: true, deny: ["put"], readOnly: true });
  const annotations = { readOnlyHint: true };
  state.tools = [tool("get", { annotations }), tool("put", { annotations }), tool("write"), null];
  await pin((await pin()).hash);
  expect(approved().tools.map(({ name }) => name)).toEqual(["get"]);
});

test("a tool that is listed twice or nested too deeply is never approved", async () => {
  const { state, pin, approved } = home({ pin: true });
  const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) });
  state.tools = [
    tool("a"),
    tool("a", { title: "b" }),
    tool("deep", { inputSchema: deep(150) }),
    tool("c"),
  ];
  const shown = await pin();
  expect(shown.notes.filter((note) => note.includes("stays withheld"))).toHaveLength(3);
  await pin(shown.hash);
  expect(approved().tools.map(({ name }) => name)).toEqual(["c"]);
});

test('"terminal" takes no hash', async () => {
  const { state, pin } = home({ pin: "terminal" });
  state.tools = [tool("get")];
  const shown = await pin();
  expect(shown.notes.join()).toContain("in a terminal");
  expect(shown.notes.join()).not.toContain("--accept");
  expect(await pin(shown.hash)).toMatchObject({
    code: 1,
    notes: [expect.stringContaining("on a terminal only")],
  });
});

test("without a server, or the rule, nothing changes", async () => {
  const { state, pin, approved, write } = home({ pin: true });
  state.tools = [tool("get")];
  const { hash } = await pin();
  await pin(hash);
  const before = approved();
  state.tools = [];
  state.status = 503;
  expect((await pin(hash)).code).toBe(1);
  write("http://127.0.0.1:1/mcp");
  expect((await pin(hash)).code).toBe(5);
  expect(approved()).toEqual(before);
  const unruled = home({ deny: ["x"] });
  expect(await unruled.pin()).toMatchObject({
    code: 3,
    notes: [expect.stringContaining('no rule "pin"')],
  });
});
