import { expect, test } from "bun:test";
import type { ToolRules } from "../../../src/config/settings.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { ruledClient, ToolServer } from "../../support/tool-server.ts";

/** A server that lists `tools`, and a client under rules. */
function policyOver(rules: Partial<ToolRules>, tools: unknown[] = []) {
  const server = new ToolServer();
  server.pages = [tools, []];
  const { send, call, listed, log } = ruledClient(server, rules);
  const kindOf = (outcome: unknown) =>
    outcome instanceof BridgeError ? outcome.kind : (outcome as unknown[]);
  return {
    send: async (line: string | object) => kindOf(await send(line)),
    isRefused: async (name: unknown) => String(await call(name)).startsWith("refused: "),
    listed,
    sent: server.seen,
    log,
  };
}

const named = (...names: string[]) => names.map((name) => ({ name, inputSchema: {} }));

test.each<[what: string, rules: Partial<ToolRules>, allowed: string[], others: string[]]>([
  ["only what is allowed", { allow: [["get_*", "list"]] }, ["get_a", "list"], ["put", "listing"]],
  ["nothing for an empty list", { allow: [[]] }, [], ["get_a"]],
  ["what every list allows", { allow: [["get_*"], ["*_a"]] }, ["get_a"], ["get_b", "put_a"]],
  ["all but what is denied", { deny: ["*_delete"] }, ["get"], ["x_delete"]],
  ["nothing that is both", { allow: [["get_*"]], deny: ["get_b"] }, ["get_a"], ["get_b"]],
])("a client sees and calls %s", async (_, rules, allowed, others) => {
  const { isRefused, listed, sent } = policyOver(rules, named(...allowed, ...others));
  expect(await listed()).toEqual(allowed);
  sent.length = 0;
  for (const name of allowed) expect(await isRefused(name)).toBe(false);
  expect(sent).toHaveLength(allowed.length);
  for (const name of others) expect(await isRefused(name)).toBe(true);
  expect(sent).toHaveLength(allowed.length);
});

test("a call is refused although the client never listed, and the server does not see it", async () => {
  const { isRefused, sent } = policyOver({ deny: ["delete_*"] });
  expect(await isRefused("delete_all")).toBe(true);
  expect(sent).toEqual([]);
});

test("prompts and resources of a denied name pass", async () => {
  const { send } = policyOver({ deny: ["b"] });
  expect(await send({ id: 1, method: "prompts/get", params: { name: "b" } })).toHaveLength(1);
  expect(await send({ id: 1, method: "resources/read", params: { uri: "b" } })).toHaveLength(1);
});

test("an entry that is no tool, or that names two, is left out", async () => {
  const { listed } = policyOver({ deny: ["x"] }, [
    null,
    5,
    {},
    { name: 7 },
    { name: "a", NAME: "x" },
    { name: "a" },
  ]);
  expect(await listed()).toEqual(["a"]);
});

test.each([
  "DELETE_all",
  " delete_all",
  "delete_all\u0000",
  "ｄelete_all",
  "de\u200blete_all",
  "delete_all\n",
  "\u0044elete_all",
])("a denied tool is not called as %j", async (name) => {
  const { isRefused, sent } = policyOver({ deny: ["delete_*"] });
  expect(await isRefused(name)).toBe(true);
  expect(sent).toEqual([]);
});

test.each([
  ["the name twice", '"params":{"name":"ok","name":"bad"}'],
  ["the name twice, the good one last", '"params":{"name":"bad","name":"ok"}'],
  ["the name in two cases", '"params":{"name":"ok","Name":"bad"}'],
  ["the name with a long s", '"params":{"name":"ok"},"param\u017f":{"name":"bad"}'],
  ["an escaped second name", '"params":{"name":"ok","n\\u0061me":"bad"}'],
  ["params twice", '"params":{"name":"bad"},"params":{"name":"ok"}'],
  ["params in two cases", '"params":{"name":"ok"},"PARAMS":{"name":"bad"}'],
  ["a list of params", '"params":["ok"]'],
  ["a name that is a list", '"params":{"name":["ok"]}'],
  ["a name that is no text", '"params":{"name":7}'],
  ["no name", '"params":{"arguments":{}}'],
  ["no params", '"x":1'],
])("a call with %s is refused", async (_, members) => {
  const { send, sent } = policyOver({ deny: ["bad"] });
  expect(await send(`{"jsonrpc":"2.0","id":1,"method":"tools/call",${members}}`)).toBe("refused");
  expect(sent).toEqual([]);
});

test.each([
  ["in another case", '"method":"Tools/Call"'],
  ["with a space", '"method":"tools/call "'],
  ["as a list in another case", '"method":"tools/List"'],
  ["behind another method", '"method":"ping","Method":"tools/call"'],
  ["with two slashes", '"method":"tools//call"'],
  ["as an absolute path", '"method":"/tools/./call"'],
  ["with a backslash", '"method":"tools\\\\call"'],
  ["with an encoded slash", '"method":"tools%2Fcall"'],
  ["with a dot", '"method":"tools.call"'],
])("a request whose method is written %s is refused", async (_, method) => {
  const { send, sent } = policyOver({ deny: ["bad"] });
  const line = `{"jsonrpc":"2.0","id":1,${method},"params":{"name":"ok"}}`;
  expect(await send(line)).toBe("refused");
  expect(sent).toEqual([]);
});

test("an escaped method and name are read as what they mean", async () => {
  const { send, sent } = policyOver({ deny: ["bad"] });
  const line = (name: string) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools\\u002fcall","params":{"name":"${name}"}}`;
  expect(await send(line("b\\u0061d"))).toBe("refused");
  expect(await send(line("ok"))).toHaveLength(1);
  expect(sent).toHaveLength(1);
});

test("a denied call without an id is dropped", async () => {
  const { send, sent, log } = policyOver({ deny: ["bad"] });
  expect(await send({ method: "tools/call", params: { name: "bad" } })).toEqual([]);
  expect(sent).toEqual([]);
  expect(log.events).toEqual([expect.stringContaining("notification dropped")]);
});

test("the parts of a batch are judged one by one", async () => {
  const { send, sent } = policyOver({ deny: ["bad"] }, named("bad", "ok"));
  const call = (id: number, name: string) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}"}}`;
  const list = '{"jsonrpc":"2.0","id":3,"method":"tools/list"}';
  const note = '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"bad"}}';
  const answers = await send(`[${call(1, "bad")},${call(2, "ok")},${list},${note}]`);
  expect(answers).toEqual([
    { jsonrpc: "2.0", id: 1, error: expect.objectContaining({ code: 1451 }) },
    { jsonrpc: "2.0", id: 2, result: { content: [] } },
    { jsonrpc: "2.0", id: 3, result: { tools: named("ok"), nextCursor: "1" } },
  ]);
  expect(sent).toHaveLength(2);
});
