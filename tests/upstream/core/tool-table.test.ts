import { expect, test } from "bun:test";
import { ToolTable } from "../../../src/upstream/core/tool-table.ts";
import { requestOf, responseTo } from "../../../src/wire/message.ts";

const list = requestOf("1", "tools/list");
const page = (tools: object[]) => responseTo("1", JSON.stringify({ tools }));
const call = (name: string) => requestOf("2", "tools/call", JSON.stringify({ name }));

test("a tool is repeatable where the live list says so, until it changes", () => {
  const tools = new ToolTable();
  expect(tools.isRepeatable(call("reads"))).toBe(false);
  tools.learn(
    list,
    page([
      { name: "reads", annotations: { readOnlyHint: true } },
      { name: "sets", annotations: { idempotentHint: true } },
      { name: "adds", annotations: { destructiveHint: false } },
      { name: "lies", annotations: { readOnlyHint: "true" } },
      { name: "bare" },
    ]),
  );
  const known = ["reads", "sets", "adds", "lies", "bare", "unknown"];
  expect(known.filter((name) => tools.isRepeatable(call(name)))).toEqual(["reads", "sets"]);
  tools.outdate();
  expect(tools.isRepeatable(call("reads"))).toBe(false);
});

test("a new session forgets the tool list of the old one", () => {
  const tools = new ToolTable();
  tools.learn(list, page([{ name: "reads", annotations: { readOnlyHint: true } }]));
  expect(tools.isRepeatable(call("reads"))).toBe(true);
  tools.learn(requestOf("0", "initialize"), responseTo("0", "{}"));
  expect(tools.isRepeatable(call("reads"))).toBe(false);
});

const marked = (name: string, size = 0) => ({
  description: "d".repeat(size),
  name,
  annotations: { readOnlyHint: true },
});

test("of a large list only the names are parsed", async () => {
  const tools = new ToolTable();
  const pages = Array.from({ length: 20 }, (_, n) => {
    const large = page([marked(`t${n}`, 300_000)]);
    tools.learn(requestOf("1", "tools/list", '{"cursor":"x"}'), large);
    return new WeakRef(large);
  });
  await Bun.sleep(0);
  Bun.gc(true);
  // The stack may still hold the last.
  expect(pages.filter((one) => one.deref() !== undefined).length).toBeLessThan(5);
  expect(tools.isRepeatable(call("t0"))).toBe(true);
  expect(tools.isRepeatable(call("t19"))).toBe(true);
});

test("many small pages are parsed before their total size passes the limit", async () => {
  const tools = new ToolTable();
  const pages = Array.from({ length: 200 }, (_, n) => {
    const small = page([marked(`t${n}`, 10_000)]);
    tools.learn(requestOf("1", "tools/list", '{"cursor":"x"}'), small);
    return new WeakRef(small);
  });
  await Bun.sleep(0);
  Bun.gc(true);
  expect(pages.filter((one) => one.deref() !== undefined).length).toBeLessThan(60);
  expect(tools.isRepeatable(call("t0"))).toBe(true);
});

test.each([
  ["the tools are too many", 10_001, "t", "t5", false],
  ["the tools are just not too many", 10_000, "t", "t5", true],
  ["a name is too long", 1, "n".repeat(300), `${"n".repeat(300)}0`, false],
])("a mark counts where %s: as told", (_, count, prefix, name, expected) => {
  const tools = new ToolTable();
  tools.learn(list, page(Array.from({ length: count }, (_, n) => marked(`${prefix}${n}`))));
  expect(tools.isRepeatable(call(name))).toBe(expected);
});

test.each([
  ["small", 0],
  ["large", 300_000],
])("marks are read however a list is written, where it is %s", (_, size) => {
  const tools = new ToolTable();
  const filler = `,{"description":"${"d".repeat(size)}"}`;
  const text = String.raw`{"tools":[{"annotations":{"readOnlyHint":true},"n\u0061me":"\u0061"},7,null,[],
    {"name":"b","annotations":{"readOnlyHint":false,"readOnlyHint":true}},
    {"name":"c","annotations":{"idempotentHint":true}},{"name":"c"},
    {"name":"d","annotations":[true]},{"name":5,"annotations":{"readOnlyHint":true}},
    {"name":"e","annotations":{"readOnlyHint":"true"}}${filler}]}`;
  tools.learn(list, responseTo("1", text));
  const known = ["a", "b", "c", "d", "5", "e"].filter((name) => tools.isRepeatable(call(name)));
  expect(known).toEqual(["a", "b"]);
  const none = `{"tools":{"name":"e","annotations":{"readOnlyHint":true},"x":[0${filler}]}}`;
  tools.learn(list, responseTo("1", none));
  expect(tools.isRepeatable(call("e"))).toBe(false);
});

test("a second page adds tools, a new first page replaces them", () => {
  const tools = new ToolTable();
  const readOnly = (name: string) => ({ name, annotations: { readOnlyHint: true } });
  tools.learn(list, page([readOnly("a")]));
  tools.learn(requestOf("1", "tools/list", '{"cursor":"x"}'), page([readOnly("b")]));
  expect([call("a"), call("b")].map((one) => tools.isRepeatable(one))).toEqual([true, true]);
  tools.learn(list, page([readOnly("b")]));
  expect([call("a"), call("b")].map((one) => tools.isRepeatable(one))).toEqual([false, true]);
});
