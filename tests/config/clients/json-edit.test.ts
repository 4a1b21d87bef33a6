import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readValue } from "../../../src/config/clients/document.ts";
import { removeJson, setJson } from "../../../src/config/clients/json-edit.ts";
import { runsOf } from "../../support/property.ts";

const entry = { command: "/b", args: ["run"] };
const path = ["mcpServers", "kb"];
const set = (text: string) => setJson(text, path, entry, "the file");
const remove = (text: string) => removeJson(text, path, "the file");

describe("edits of JSON with comments", () => {
  test("a new entry is appended in the file's own style", async () => {
    const text = `{
\t// mine
\t"mcpServers": {
\t\t"a": {"url": "x"}, // about a
\t\t/* the end */
\t},
}
`;
    expect(await set(text)).toBe(`{
\t// mine
\t"mcpServers": {
\t\t"a": {"url": "x"}, // about a
\t\t"kb": {
\t\t\t"command": "/b",
\t\t\t"args": [
\t\t\t\t"run"
\t\t\t]
\t\t},
\t\t/* the end */
\t},
}
`);
  });

  test("a missing section, or an empty file, is created", async () => {
    expect(await readValue(await set(""), "json", "f")).toEqual({ mcpServers: { kb: entry } });
    expect(await set('{\r\n  "a": 1\r\n}')).toBe(
      '{\r\n  "a": 1,\r\n  "mcpServers": {\r\n    "kb": {\r\n      "command": "/b",\r\n      "args": [\r\n        "run"\r\n      ]\r\n    }\r\n  }\r\n}',
    );
    expect(await set('{"a":1}')).toBe(
      '{"a":1, "mcpServers": {"kb":{"command":"/b","args":["run"]}}}',
    );
  });

  test("a section that is null is empty", async () => {
    expect(await set('{"mcpServers": null}')).toBe(
      '{"mcpServers": {"kb":{"command":"/b","args":["run"]}}}',
    );
  });

  test("an edit is refused if the section is not an object", async () => {
    const error = await set('{"mcpServers": []}').catch((thrown) => thrown);
    expect(error.message).toContain("mcpServers is not a JSON object");
  });

  test.each([
    '{"mcpServers": {"a": 1}}',
    '{"mcpServers": {"a": 1,}}',
    '\ufeff{\n  "mcpServers": {\n    "a": 1 // c\n  }\n}\n',
    '{\r\n  "mcpServers": {\r\n    "a": 1, /* c */\r\n  },\r\n}',
    '{"mcpServers": {}, "z": [1, 2]}',
    '{\n  "mcpServers": {\n    // only a comment\n  }\n}',
    '{\n "x": "}", "mcpServers": { "a": {} }\n}',
  ])("%p is byte for byte what it was after set and remove", async (text) => {
    const once = await set(text);
    expect(await set(once)).toBe(once);
    expect(await remove(once)).toBe(text);
  });

  test("removing a missing entry changes nothing", async () => {
    for (const text of ["", "{}", '{"mcpServers": {}}', '{"mcpServers": 1}']) {
      expect(await remove(text)).toBe(text);
    }
  });

  test("in random objects, setting an entry keeps all other values, and removing it restores the text", async () => {
    const gap = fc.constantFrom("", " ", "\n", "\r\n\t", " // c\n", "/* , } */");
    const servers = fc.dictionary(fc.stringMatching(/^[a-j"\\]{1,4}$/), fc.jsonValue(), {
      minKeys: 1,
      maxKeys: 3,
    });
    const property = fc.asyncProperty(
      servers,
      gap,
      gap,
      fc.boolean(),
      async (map, one, other, comma) => {
        const pairs = Object.entries(map).map(
          ([key, value]) =>
            `${one}${JSON.stringify(key)}${other}:${other}${JSON.stringify(value)}${one}`,
        );
        const text = `{"mcpServers":${one}{${pairs.join(",")}${comma ? "," : ""}${other}}${one}}`;
        const once = await set(text);
        expect(await readValue(once, "json", "f")).toEqual({
          // JSON.stringify writes -0 as 0.
          mcpServers: { ...JSON.parse(JSON.stringify(map)), kb: entry },
        });
        expect(await remove(once)).toBe(text);
      },
    );
    await fc.assert(property, runsOf(import.meta.path));
  });
});
