import { expect, test } from "bun:test";
import { invalidTools, ToolTable } from "../../../src/upstream/core/tool-table.ts";
import { paramHeaders } from "../../../src/upstream/transport/stateless-http.ts";
import { parseMessage, requestOf } from "../../../src/wire/message.ts";

const message = (value: object) =>
  parseMessage(new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 1, ...value })));

const listOf = (inputSchema: object) =>
  message({ result: { tools: [{ name: "t", inputSchema }] } });
const list = requestOf("1", "tools/list");
const marked = (header: unknown, type: unknown = "string") => ({ type, "x-mcp-header": header });

test.each<[string, object]>([
  ["an empty name", { properties: { a: marked("") } }],
  ["a space in the name", { properties: { a: marked("a b") } }],
  ["a colon in the name", { properties: { a: marked("a:b") } }],
  ["a line break in the name", { properties: { a: marked("a\nb") } }],
  ["a name that is not ASCII", { properties: { a: marked("Zürich") } }],
  ["a name that is no text", { properties: { a: marked(1) } }],
  ["a number", { properties: { a: marked("A", "number") } }],
  ["an object", { properties: { a: marked("A", "object") } }],
  ["several types", { properties: { a: marked("A", ["string", "null"]) } }],
  ["no type", { properties: { a: { "x-mcp-header": "A" } } }],
  ["a name twice", { properties: { a: marked("A"), b: { properties: { c: marked("a") } } } }],
  ["the schema itself", { ...marked("A"), properties: {} }],
  ["an element of a list", { properties: { a: { type: "array", items: marked("A") } } }],
  ["an alternative", { oneOf: [{ properties: { a: marked("A") } }] }],
  ["a definition", { $defs: { a: marked("A") } }],
  ["further properties", { additionalProperties: marked("A") }],
  ["a condition", { if: { properties: { a: marked("A") } } }],
])("a tool with a header annotation on %s is invalid", (_, inputSchema) => {
  const [invalid] = invalidTools(listOf(inputSchema));
  expect(invalid).toMatchObject({ index: 0, name: "t" });
});

test("an argument named like the annotation, and data that look like one, are no annotation", () => {
  const schema = {
    properties: { "x-mcp-header": { type: "string" }, a: { enum: [marked("A")], default: {} } },
  };
  expect(invalidTools(listOf(schema))).toEqual([]);
});

test("annotated arguments go into headers at any depth, null and absent ones do not", () => {
  const tools = new ToolTable();
  const inner = { type: "object", properties: { zone: marked("Zone", "integer") } };
  const properties = {
    region: marked("Region"),
    dry: marked("Dry-Run", "boolean"),
    none: marked("None"),
    absent: marked("Absent"),
    big: marked("Big", "integer"),
    list: marked("List"),
    inner,
  };
  tools.learn(list, listOf({ properties }));
  const args = { region: " é", dry: false, none: null, list: [1], inner: { zone: 42 } };
  const call = message({ method: "tools/call", params: { name: "t", arguments: args } });
  const big = call.with([{ path: ["params", "arguments", "big"], raw: "9007199254740993" }]);
  expect(paramHeaders(big, tools)).toEqual({
    "Mcp-Param-Region": "=?base64?IMOp?=",
    "Mcp-Param-Dry-Run": "false",
    "Mcp-Param-Zone": "42",
  });
  const other = message({ method: "tools/call", params: { name: "unknown", arguments: args } });
  expect(paramHeaders(other, tools)).toEqual({});
});

test.each([
  [{ error: { code: 1, message: "" } }],
  [{ result: {} }],
  [{ result: { tools: [1, { inputSchema: {} }] } }],
])("no tool of an answer without tools is invalid: %j", (value) => {
  expect(invalidTools(message(value))).toEqual([]);
});

test("a tool that has become invalid loses the headers it had", () => {
  const tools = new ToolTable();
  tools.learn(list, listOf({ properties: { a: marked("A") } }));
  tools.learn(list, listOf({ properties: { a: marked("A", "number") } }));
  const call = message({ method: "tools/call", params: { name: "t", arguments: { a: "x" } } });
  expect(paramHeaders(call, tools)).toEqual({});
});
