import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { findJsonProblem, JsonProblem, readJsonDocument } from "../../src/config/json-document.ts";
import { runsOf } from "../support/property.ts";

const runs = runsOf(import.meta.path);

const text = `\ufeff// Servers of an editor.
{
  "mcpServers": {
    /* one */ "kb": { "url": "https://kb.example/mcp", "args": ["a", "b",], },
  },
}
`;

describe("JSON with comments and trailing commas", () => {
  test("is parsed", async () => {
    const { value } = await readJsonDocument(text);
    expect(JSON.stringify(value)).toBe(
      '{"mcpServers":{"kb":{"url":"https://kb.example/mcp","args":["a","b"]}}}',
    );
  });

  test.each([
    ["the whole", [], 2, 1],
    ["a key", ["mcpServers", "kb"], 4, 15],
    ["an element of a list", ["mcpServers", "kb", "args", 1], 4, 70],
    ["a missing key, the place of its parent", ["mcpServers", "kb", "token"], 4, 15],
    ["a path through a text, the place of the text", ["mcpServers", "kb", "url", "x"], 4, 23],
  ])("gives line and column of %s", async (_, path, line, column) => {
    const { placeOf } = await readJsonDocument(text);
    const { offset, ...place } = placeOf(path);
    expect(place).toEqual({ line, column });
    expect(offset).toBeGreaterThan(0);
  });

  test("offsets count from the first character, also after a byte order mark", async () => {
    const { placeOf } = await readJsonDocument(text);
    expect(text.slice(placeOf(["mcpServers"]).offset)).toStartWith('"mcpServers"');
  });

  test.each([
    ["an empty text", "", "ends early", 1],
    ["a comment alone", "// x", "ends early", 1],
    ["a comment without its end", "{ /*", "comment without its end", 1],
    ["a bare word", "{\n  a: 1 }", "key in double quotes", 2],
    ["a missing comma", "[1,\n2 3]", 'expected ","', 2],
    ["nesting without end", "[".repeat(100_000), "nested too deeply", 1],
    ["objects without end", '{"a":'.repeat(100_000), "nested too deeply", 1],
  ])("the error for %s gives the line", async (_, wrong, message, line) => {
    const problem = await readJsonDocument(wrong).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(problem).toBeInstanceOf(JsonProblem);
    expect((problem as JsonProblem).message).toContain(message);
    expect((problem as JsonProblem).place.line).toBe(line);
  });

  test("a key __proto__ becomes an ordinary key", async () => {
    const { value } = await readJsonDocument('{"__proto__": {"x": 1}}');
    expect(Object.keys(value as object)).toEqual(["__proto__"]);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

test("the parsed value of any JSON text equals that of JSON.parse", async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 4 }), async (json) => {
      const { value } = await readJsonDocument(json);
      expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(json)));
    }),
    runs,
  );
});

test("findJsonProblem reports a comment", async () => {
  const { message, place } = await findJsonProblem('{\n  "a": 1 // x\n}');
  expect([message, place.line, place.column]).toEqual(["expected JSON without comments", 2, 10]);
});
