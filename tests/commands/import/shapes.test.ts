import { afterAll, describe, expect, test } from "bun:test";
import { command } from "../../../src/commands/import/import.ts";
import { splitWords } from "../../../src/wire/text.ts";
import { removeUsers, user } from "./import-user.ts";
import { type Shape, shapes } from "./shapes.ts";

afterAll(removeUsers);

/** The client's entry for a shape's command line. */
function clientEntry({ line }: Shape): object {
  const words = splitWords(line);
  const env: Record<string, string> = {};
  while (/^[A-Z_0-9]+=/.test(words[0] ?? "")) {
    const [name = "", ...value] = words.shift()!.split("=");
    env[name] = value.join("=");
  }
  const [program, ...args] = words;
  return { command: program, ...(args.length > 0 && { args }), env };
}

interface Row {
  readonly name: string;
  readonly as?: string;
  readonly status: string;
  readonly reason?: string;
  readonly notes: readonly string[];
}

/** Imports one file with all shapes. */
const imported = (async () => {
  const { put, run, servers } = user();
  const mcpServers = Object.fromEntries(shapes.map((shape, at) => [`s${at}`, clientEntry(shape)]));
  const info = JSON.stringify({ client_id: "file-id" });
  put(".cursor/oauth.json", info);
  const file = put("mcp.json", JSON.stringify({ mcpServers }).replaceAll("/home/someone", "."));
  put(".config/mcp-remote/oauth.json", info);
  const { out } = await run(command, file, "--all", "--json");
  const rows: Row[] = JSON.parse(out).found;
  return { rows: new Map(rows.map((row) => [row.name, row])), servers: servers(), out };
})();

describe("import of each shape of entry in public configuration files", () => {
  test("the plan has a row for each of the 84 entries", async () => {
    const { rows } = await imported;
    expect([shapes.length, rows.size]).toEqual([84, 84]);
  });

  test.each(shapes.map((shape, at) => [shape.line, shape, `s${at}`] as const))(
    "%s",
    async (_, shape, name) => {
      const { rows, servers } = await imported;
      const row = rows.get(name)!;
      expect(row.notes).toEqual(shape.notes ?? []);
      if (shape.refused !== undefined) {
        expect([row.status, row.reason]).toEqual([
          "refused",
          expect.stringContaining(shape.refused),
        ]);
        return;
      }
      expect(row.status).not.toBe("refused");
      expect(servers[row.as!]).toEqual(shape.entry);
    },
  );

  test("prints no secret of the entries", async () => {
    const { out } = await imported;
    expect(out).not.toMatch(/tok-1234|literal|SECRET/);
  });
});
