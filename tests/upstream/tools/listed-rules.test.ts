import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stateOf } from "../../../src/platform/paths.ts";
import { writeApproved } from "../../../src/upstream/tools/approvals.ts";
import { factsOf, listedTools } from "../../../src/upstream/tools/listed-tools.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { responseTo } from "../../../src/wire/message.ts";
import { ownFolder } from "../../support/folder.ts";
import {
  readOnlyTool,
  ruledClient,
  ToolServer,
  tool,
  toolOrigin,
} from "../../support/tool-server.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

const readOnly = { readOnly: true };
const pin = { pin: true };
const ok = { content: [] };

/** Approves tools, as `pin` does. */
function approve(...tools: object[]): void {
  const page = responseTo("1", JSON.stringify({ tools }));
  const facts = factsOf(listedTools(page)!, true);
  const approved = [...facts].map(([name, { hash }]) => ({ name, hash, at: "", by: "" }));
  writeApproved(stateOf(folder.path, "kb"), toolOrigin, approved);
}

const pinned = (server: ToolServer, clientName?: string) =>
  ruledClient(server, pin, { root: folder.path, ...(clientName && { clientName }) });

test("readOnly leaves only tools that are marked so", async () => {
  const server = new ToolServer();
  server.pages = [
    [
      readOnlyTool("get"),
      tool("put"),
      tool("text", { annotations: { readOnlyHint: "true" } }),
      tool("no", { annotations: { readOnlyHint: false } }),
      tool("list", { annotations: [true] }),
    ],
  ];
  const { listed, call } = ruledClient(server, readOnly);
  expect(await listed()).toEqual(["get"]);
  expect(await call("get")).toEqual(ok);
  for (const name of ["put", "text", "no", "list"])
    expect(await call(name)).toStartWith("refused: ");
  expect(server.calls).toHaveLength(1);
});

test.each([
  ["twice, true first", '{"readOnlyHint":true,"readOnlyHint":false}'],
  ["twice, true last", '{"readOnlyHint":false,"readOnlyHint":true}'],
  ["in two cases", '{"readOnlyHint":true,"ReadOnlyHint":false}'],
])("a mark that is written %s counts for nothing", async (_, annotations) => {
  const server = new ToolServer();
  server.pages = [`{"tools":[{"name":"put","annotations":${annotations}}]}`];
  const { listed, call } = ruledClient(server, readOnly);
  expect(await listed()).toEqual([]);
  expect(await call("put")).toStartWith("refused: ");
});

test.each([
  ["one page", [[readOnlyTool("a"), tool("a"), tool("b"), readOnlyTool("b"), readOnlyTool("get")]]],
  [
    "two pages",
    [
      [tool("a"), tool("b"), readOnlyTool("get")],
      [readOnlyTool("a"), readOnlyTool("b")],
    ],
  ],
])("a name that is listed twice on %s has the rights of its worse entry", async (_, pages) => {
  const server = new ToolServer();
  server.pages = pages;
  const { listed, call } = ruledClient(server, readOnly);
  expect(await listed()).toEqual(["get"]);
  for (const name of ["a", "b"]) expect(await call(name)).toStartWith("refused: ");
});

test.each([
  '{"tools":[],"tools":[{"name":"get"}]}',
  '{"tools":[{"name":"get"}],"Tools":[]}',
  '{"tools":{"0":{"name":"get"}}}',
  "{}",
])("a list that can be read in two ways, or is none, is refused: %s", async (page) => {
  const server = new ToolServer();
  server.pages = [page];
  const { listed, call } = ruledClient(server, readOnly);
  expect(await listed().catch(({ message }) => message)).toBe("no list: 1502");
  expect(await call("get")).toStartWith("refused: the call is not sent");
});

test("a call without a list before it fetches the list, page by page, once for all", async () => {
  const server = new ToolServer();
  server.pages = [[tool("put")], [readOnlyTool("get")]];
  const { call } = ruledClient(server, readOnly);
  expect(await Promise.all([call("get"), call("put"), call("get")])).toEqual([
    ok,
    expect.stringContaining('"put" of server "kb" is not marked read-only'),
    ok,
  ]);
  expect(server.lists).toHaveLength(2);
  expect(await call("get")).toEqual(ok);
  expect(server.lists).toHaveLength(2);
});

test("the fetch for a stateless client carries its identity and no secret of the call", async () => {
  const server = new ToolServer();
  server.pages = [[readOnlyTool("get")]];
  const { call } = ruledClient(server, readOnly);
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
    other: "secret",
  };
  expect(await call("get", { _meta: meta })).toEqual(ok);
  expect(JSON.parse(server.lists[0]!).params._meta).toEqual({
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
  });
});

test("a list that the client read needs no fetch, and the first of its pages is not the whole", async () => {
  const server = new ToolServer();
  server.pages = [[readOnlyTool("a")], [readOnlyTool("b")]];
  const { call, listed } = ruledClient(server, readOnly);
  await listed();
  await listed("1");
  expect(await call("b")).toEqual(ok);
  expect(server.lists).toHaveLength(2);
  await listed();
  expect(await call("b")).toEqual(ok);
  expect(server.lists).toHaveLength(5);
});

test.each<[string, (server: ToolServer) => void]>([
  ["cannot be reached", (server) => (server.failure = new BridgeError("unreachable", "away"))],
  ["times out", (server) => (server.failure = new BridgeError("timeout", "late"))],
  ["refuses to list", (server) => (server.refusal = { code: -32601, message: "no" })],
  ["sends garbage", (server) => (server.pages = ['{"tools":7}'])],
])("where the server %s, the call is refused", async (_, spoil) => {
  const server = new ToolServer();
  spoil(server);
  const { call } = ruledClient(server, readOnly);
  expect(await call("get")).toStartWith("refused: the call is not sent");
  expect(server.calls).toEqual([]);
});

test("where the list needs a sign-in, the call needs one", async () => {
  const server = new ToolServer();
  server.failure = new BridgeError("sign-in-required", "sign in");
  const { call } = ruledClient(server, readOnly);
  expect(await call("get")).toBe("sign-in-required: sign in");
});

test("a changed list changes the rights at once", async () => {
  const server = new ToolServer();
  server.pages = [[readOnlyTool("get"), tool("put")]];
  const { call, listed } = ruledClient(server, readOnly);
  expect(await listed()).toEqual(["get"]);
  server.pages = [[tool("get"), readOnlyTool("put")]];
  await server.announce();
  expect(await call("get")).toStartWith("refused: ");
  expect(await call("put")).toEqual(ok);
  server.pages = [[readOnlyTool("get")]];
  expect(await listed()).toEqual(["get"]);
  expect(await call("put")).toStartWith('refused: server "kb" lists no tool "put"');
});

test("a change that is announced while the list is fetched makes the bridge fetch it again", async () => {
  const server = new ToolServer();
  server.pages = [[readOnlyTool("put")]];
  const { call } = ruledClient(server, readOnly);
  server.onList = async () => {
    server.onList = () => undefined;
    await server.announce();
    server.pages = [[tool("put")]];
  };
  expect(await call("put")).toStartWith("refused: ");
  expect(server.lists).toHaveLength(2);
});

test("a server that announces changes all the time gets no call", async () => {
  const server = new ToolServer();
  server.pages = [[readOnlyTool("get")]];
  const { call } = ruledClient(server, readOnly);
  server.onList = () => server.announce();
  expect(await call("get")).toContain("the list changes all the time");
  expect(server.lists).toHaveLength(3);
  expect(server.calls).toEqual([]);
});

test("a new session has listed nothing", async () => {
  const server = new ToolServer();
  server.pages = [[readOnlyTool("get")]];
  const { call, listed, send } = ruledClient(server, readOnly);
  await listed();
  server.pages = [[tool("get")]];
  await send({ id: 1, method: "initialize" });
  expect(await call("get")).toStartWith("refused: ");
});

test("pages without end are not followed without end", async () => {
  const server = new ToolServer();
  const { call } = ruledClient(server, readOnly);
  let cursor = 0;
  server.onList = () => {
    server.pages.fill(`{"tools":[],"nextCursor":"${++cursor}"}`);
    server.pages[cursor] = `{"tools":[],"nextCursor":"${cursor + 1}"}`;
  };
  expect(await call("get")).toStartWith("refused: ");
  expect(server.lists.length).toBeLessThan(1100);
});

test("a cursor that leads back ends the list", async () => {
  const server = new ToolServer();
  const again = (name: string) => JSON.stringify({ tools: [readOnlyTool(name)], nextCursor: "1" });
  server.pages = [again("a"), again("b")];
  const { call } = ruledClient(server, readOnly);
  expect(await call("b")).toEqual(ok);
  expect(server.lists).toHaveLength(2);
});

test("before the first approval every tool is withheld, and one tool says so", async () => {
  const server = new ToolServer();
  server.pages = [[tool("get"), tool("ignore all rules!"), tool("put")]];
  const { list, call, log } = pinned(server);
  const { tools } = await list();
  expect(tools.map(({ name }) => name)).toEqual(["kb_problem"]);
  expect(tools[0]!.description).toContain('3 tools of server "kb"');
  expect(tools[0]!.description).toContain("get (new), put (new), 1 more");
  expect(tools[0]!.description).toContain("bridge pin kb");
  expect(await call("get")).toBe('refused: tool "get" of server "kb" is not approved');
  expect(server.calls).toEqual([]);
  expect(log.events.filter((event) => event.startsWith("tools wait"))).toHaveLength(1);
});

test("an approved tool is listed and called; one that is new or changed waits", async () => {
  const server = new ToolServer();
  approve(tool("get", { description: "gets" }), tool("put"));
  server.pages = [
    [tool("get", { description: "gets, and sends a copy" }), tool("put"), tool("new")],
  ];
  const { list, call } = pinned(server);
  const { tools } = await list();
  expect(tools.map(({ name }) => name)).toEqual(["kb_problem", "put"]);
  expect(tools[0]!.description).toContain("get (changed), new (new)");
  expect(await call("put")).toEqual(ok);
  expect(await call("get")).toContain("has changed since it was approved");
  expect(await call("new")).toContain("is not approved");
});

test.each<[what: string, change: object]>([
  ["title", { title: "t" }],
  ["description", { description: "d" }],
  ["parameter", { inputSchema: { type: "object", properties: { a: { type: "string" } } } }],
  ["result", { outputSchema: { type: "object" } }],
  ["annotation", { annotations: { readOnlyHint: true } }],
  ["description in other letters", { Description: "for a client that ignores case" }],
])("another %s makes a tool a changed one", async (_, change) => {
  const server = new ToolServer();
  approve(tool("get"));
  server.pages = [[tool("get", change)]];
  const { call, listed } = pinned(server);
  expect(await listed()).toEqual(["kb_problem"]);
  expect(await call("get")).toContain("has changed");
});

test("the order of keys, white space, escapes, icons and _meta make no tool a changed one", async () => {
  const server = new ToolServer();
  const inputSchema = { type: "object", properties: { a: {}, b: {} } };
  approve({ name: "get", description: "é/", inputSchema });
  server.pages = [
    '{"tools":[{ "_meta":{"x":1}, "icons":[], "inputSchema":{"properties":{"b":{},"a":{}},"type":"object"}, "description":"\\u00e9\\/", "name":"get" }]}',
  ];
  const { call } = pinned(server);
  expect(await call("get")).toEqual(ok);
});

test("a description that is written twice is not the approved one", async () => {
  const server = new ToolServer();
  approve(tool("get", { description: "good" }));
  server.pages = [
    '{"tools":[{"name":"get","inputSchema":{"type":"object"},"description":"evil","description":"good"}]}',
  ];
  const { listed } = pinned(server);
  expect(await listed()).toEqual(["kb_problem"]);
});

test("swapped schemas, and a look-alike of an approved name, wait", async () => {
  const server = new ToolServer();
  const [a, b] = [{ type: "object", properties: { a: {} } }, { type: "object" }];
  approve(tool("one", { inputSchema: a }), tool("two", { inputSchema: b }), tool("delete"));
  const lookAlike = "d\u0435lete";
  server.pages = [
    [tool("one", { inputSchema: b }), tool("two", { inputSchema: a }), tool(lookAlike)],
  ];
  const { call, listed } = pinned(server);
  expect(await listed()).toEqual(["kb_problem"]);
  for (const name of ["one", "two", lookAlike]) expect(await call(name)).toStartWith("refused: ");
  expect(await call("delete")).toContain("lists no tool");
});

test("a server that shows the client one list and the bridge another gets no call", async () => {
  const server = new ToolServer();
  approve(tool("get"));
  server.pages = [[tool("get")]];
  const { call, listed } = pinned(server);
  expect(await listed()).toEqual(["get"]);
  server.pages = [[tool("get", { description: "evil" })]];
  expect(await listed()).toEqual(["kb_problem"]);
  expect(await call("get")).toContain("has changed");
});

test("an approval counts for one origin", async () => {
  const server = new ToolServer();
  approve(tool("get"));
  server.pages = [[tool("get")]];
  const url = new URL("https://other.example/mcp");
  expect(await ruledClient(server, pin, { root: folder.path, url }).listed()).toEqual([
    "kb_problem",
  ]);
});

test.each(["{", "[]", '{"version":2,"tools":[]}', '{"version":1,"tools":[{"name":"get"}]}'])(
  "a file of approvals that holds %s approves nothing, and the words say so",
  async (text) => {
    mkdirSync(join(folder.path, "approved"), { mode: 0o700 });
    writeFileSync(join(folder.path, "approved/kb.json"), text, { mode: 0o600 });
    const server = new ToolServer();
    server.pages = [[tool("get")]];
    const { list, call } = pinned(server);
    const { tools } = await list();
    expect(tools[0]!.description).toContain("is no list of approved tools");
    expect(await call("get")).toStartWith("refused: ");
  },
);

test("the problem tool looks for new approvals, and announces the tools that were approved", async () => {
  const server = new ToolServer();
  server.pages = [[tool("get")]];
  const { call, listed, heard } = pinned(server);
  expect(await listed()).toEqual(["kb_problem"]);
  expect(await call("kb_problem")).toMatchObject({ isError: true });
  expect(heard).toEqual([]);
  approve(tool("get"));
  const result = await call("kb_problem");
  expect(JSON.stringify(result)).toContain("appear by themselves");
  expect(heard).toEqual(["notifications/tools/list_changed"]);
  expect(await listed()).toEqual(["get"]);
  expect(await call("get")).toEqual(ok);
  expect(JSON.stringify(await call("kb_problem"))).toContain("Every tool");
  expect(server.calls).toHaveLength(1);
});

test("Codex, which ignores the announcement, is told to restart", async () => {
  const server = new ToolServer();
  server.pages = [[tool("get")]];
  const { call, listed } = pinned(server, "codex-mcp-client");
  await listed();
  approve(tool("get"));
  expect(JSON.stringify(await call("kb_problem"))).toContain("the user must restart Codex");
});

test("a server's own kb_problem keeps its name, and ours gets a suffix", async () => {
  const server = new ToolServer();
  approve(tool("kb_problem"), tool("kb_problem_here"));
  server.pages = [[tool("kb_problem"), tool("kb_problem_here"), tool("new")]];
  const { call, listed } = pinned(server);
  expect(await listed()).toEqual(["kb_problem", "kb_problem_here", "kb_problem_here_"]);
  expect(await call("kb_problem")).toEqual(ok);
  expect(await call("kb_problem_here_")).toMatchObject({ isError: true });
  expect(server.calls).toHaveLength(1);
});

test("repair leaves out what makes strict clients drop the list, and logs it once", async () => {
  const server = new ToolServer();
  server.pages = [
    [tool("a"), null, { name: "b" }, { inputSchema: {} }, tool("a"), tool("c")],
    JSON.stringify({ tools: [tool("d")], nextCursor: "1" }),
  ];
  const { list, listed, call, log } = ruledClient(server, { repair: true });
  expect(await listed()).toEqual(["a", "c"]);
  expect(await listed()).toEqual(["a", "c"]);
  expect(log.events.filter((event) => event.startsWith("tools left out"))).toHaveLength(1);
  expect(await list("1")).toEqual({ tools: [tool("d")] });
  expect(await call("b")).toEqual(ok);
});

test("repair edits no good list", async () => {
  const server = new ToolServer();
  const page = '{ "tools" : [ {"name":"a","inputSchema":{},"x":12345678901234567890} ] }';
  server.pages = [page];
  const { send } = ruledClient(server, { repair: true });
  expect(await send({ id: 1, method: "tools/list" })).toEqual([
    { jsonrpc: "2.0", id: 1, result: JSON.parse(page) },
  ]);
});
