import { describe, expect, test } from "bun:test";
import { readValue } from "../../../src/config/clients/document.ts";
import { removeYaml, setYaml } from "../../../src/config/clients/yaml-edit.ts";

const fields = { command: "/b", args: ["run"] };
const where = "a.yaml";
const list = { key: "mcpServers", isList: true, where };
const map = { key: "extensions", isList: false, where };
const inList = (text: string) => setYaml(text, list, "kb", { name: "kb", ...fields });
const inMap = (text: string) => setYaml(text, map, "kb", fields);

describe("edits of YAML", () => {
  test("a new entry is appended to a list, and the comments before and after it are kept", async () => {
    const text = `name: mine # x
mcpServers:
  - name: a
    command: b # c
  # the end
models: []
`;
    expect(await inList(text)).toBe(`name: mine # x
mcpServers:
  - name: a
    command: b # c
  - name: kb
    command: /b
    args:
      - run
  # the end
models: []
`);
  });

  test.each([
    "mcpServers:\n  - name: a\n    command: b\n",
    "mcpServers:\n- name: a\n  command: b",
    "mcpServers:\r\n  - name: a\r\n    args:\r\n      - x\r\n\r\nmodels: []\r\n",
    "mcpServers: []\nz: 1\n",
    "# c\nmcpServers:\n  -\n    name: a\n    text: |\n      two\n      lines\n# end\n",
  ])(
    "list %p: setting an entry twice equals setting it once, and removing it restores the text",
    async (text) => {
      const once = await inList(text);
      expect(await inList(once)).toBe(once);
      expect(await removeYaml(once, list, "kb")).toBe(text);
    },
  );

  test.each([
    "extensions:\n  a:\n    enabled: true\n\n    type: x\nGOOSE: y\n",
    "extensions: {}\na: 1\n",
    "a: 1\nextensions:\n    deep:\n        type: x # c\n",
  ])(
    "map %p: setting an entry twice equals setting it once, and removing it restores the text",
    async (text) => {
      const once = await inMap(text);
      expect(await inMap(once)).toBe(once);
      expect(await removeYaml(once, map, "kb")).toBe(text);
    },
  );

  test("a missing section, or an empty file, is created", async () => {
    for (const text of ["", "a: 1", "mcpServers:\n", "mcpServers: null # c\na: 1\n"]) {
      const value = await readValue(await inList(text), "yaml", "f");
      expect(value).toMatchObject({ mcpServers: [{ name: "kb", ...fields }] });
    }
  });

  test("an edit is refused if the section is in flow style or neither a list nor a map", async () => {
    for (const text of ["mcpServers: [{name: a}]", "mcpServers: text", "- a"]) {
      const error = await inList(text).catch((thrown) => thrown);
      expect(error.kind).toBe("configuration");
      expect(error.message).toStartWith("a.yaml ");
    }
  });
});
