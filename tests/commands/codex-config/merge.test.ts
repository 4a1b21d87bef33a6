import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fitted } from "../../../src/commands/codex-config/entry.ts";
import { mergeEntry, removeEntry } from "../../../src/commands/codex-config/merge.ts";
import type { Wanted } from "../../../src/commands/codex-config/toml-render.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { configurations, textOf } from "./codex-config-generator.ts";

const wanted: Wanted = {
  fields: {
    command: "/usr/local/bin/codex-mcp-http-bridge",
    args: ["run", "--server", "kb"],
    env: { LOG_LEVEL: "info" },
    env_vars: ["HTTPS_PROXY", 'a\u007f"\\\u2028'],
    startup_timeout_sec: 30,
    tool_timeout_sec: 120,
  },
  unwanted: ["url", "http_headers_helper", "required", "default_tools_approval_mode"],
  note: 'default_tools_approval_mode = "approve"',
};

type Table = Record<string, unknown> & {
  readonly mcp_servers?: unknown;
  env?: unknown;
};
interface Parsed {
  readonly rest: Table;
  readonly kb: Table | undefined;
}

/** What another parser reads in the text, with the server apart. */
function read(text: string): Parsed {
  const all = Bun.TOML.parse(text) as Table;
  const { kb, ...servers } = (all.mcp_servers ?? {}) as Record<string, Table>;
  return { rest: { ...all, mcp_servers: servers }, kb };
}

function isToml(text: string): boolean {
  try {
    Bun.TOML.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether the pieces stand in the text, in order, the first at its beginning and the last at its end, or before
 * the entry where that had to move there.
 */
function holds(text: string, pieces: readonly string[]): boolean {
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    const found = text.indexOf(piece, at);
    if (found < 0 || (index === 0 && found > 0)) return false;
    at = found + piece.length;
  }
  return text.endsWith(pieces.at(-1)!) || text.slice(at).trimStart().startsWith("[mcp_servers.kb]");
}

/** The text without white space, and without the remark that may stay below a table that goes. */
function bare(text: string): string {
  return text.replaceAll("# a remark of mine", "").replace(/\s+/g, "");
}

const valid = configurations.filter((each) => isToml(textOf(each)));
const runs = { numRuns: 1000 };

describe("codex-config's merge", () => {
  test("sets the server's entry to the expected value and changes nothing else, in 1,000 configurations", async () => {
    const forms = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(valid, async (configuration) => {
        const text = textOf(configuration);
        const before = read(text);
        const fit = fitted("kb", wanted, before.kb);
        const after = await mergeEntry(text, "kb", fit);
        const is = read(after);
        const meant: Table = { ...before.kb, ...wanted.fields };
        if (before.kb?.env !== undefined) meant.env = before.kb.env;
        for (const key of fit.unwanted) delete meant[key];
        expect(is.kb).toEqual(meant);
        expect(is.rest).toEqual(before.rest);
        if (before.kb === undefined) expect(after.startsWith(text)).toBe(true);
        else expect(holds(after, configuration.others)).toBe(true);
        expect(await mergeEntry(after, "kb", fitted("kb", wanted, is.kb))).toBe(after);
        const form = configuration.own.join("").slice(0, 12);
        forms.set(form, (forms.get(form) ?? 0) + 1);
      }),
      runs,
    );
    expect(forms.size).toBeGreaterThan(5);
  }, 60_000);

  test("refuses a damaged configuration, or changes only the entry", async () => {
    const damaged = fc
      .tuple(
        valid.map(textOf),
        fc.nat(),
        fc.nat(30),
        fc.constantFrom("", "[", '"', "\n", "= ", "#"),
      )
      .map(([text, at, length, put]) => {
        const start = at % (text.length + 1);
        return text.slice(0, start) + put + text.slice(start + length);
      });
    await fc.assert(
      fc.asyncProperty(damaged, async (text) => {
        const after = await mergeEntry(text, "kb", wanted).catch((error) => error);
        if (after instanceof BridgeError) return;
        expect(typeof after).toBe("string");
        if (isToml(text)) expect(read(after).rest).toEqual(read(text).rest);
      }),
      runs,
    );
  });

  test("removes an entry and leaves every other byte, in 1,000 configurations", async () => {
    await fc.assert(
      fc.asyncProperty(valid, async (configuration) => {
        const text = textOf(configuration);
        const before = read(text);
        const after = await removeEntry(text, "kb");
        expect(read(after)).toEqual({ rest: before.rest, kb: undefined });
        expect(bare(after)).toBe(bare(configuration.others.join("")));
        if (before.kb !== undefined) return;
        expect(after).toBe(text);
        const added = await mergeEntry(text, "kb", wanted);
        expect(await removeEntry(added, "kb")).toBe(text);
      }),
      runs,
    );
  }, 60_000);
});

describe("mcp_servers written as one inline table", () => {
  const short: Wanted = { fields: { command: "b", args: ["run"] }, unwanted: ["url"] };
  const entry = 'kb = { command = "b", args = ["run"] }';

  test.each([
    ["mcp_servers = {}", `mcp_servers = { ${entry} }`],
    ["mcp_servers = { a = { x = 1 } } # c\n", `mcp_servers = { a = { x = 1 }, ${entry} } # c\n`],
    ["mcp_servers = {a = {x = 1},}\n", `mcp_servers = {a = {x = 1}, ${entry},}\n`],
  ])("a new entry is added to %j", async (before, after) => {
    expect(await mergeEntry(before, "kb", short)).toBe(after);
    expect(await mergeEntry(after, "kb", short)).toBe(after);
  });

  test.each([
    [`mcp_servers = { ${entry} }`, "mcp_servers = {}"],
    [`mcp_servers = { ${entry}, a = {} }`, "mcp_servers = { a = {} }"],
    [`mcp_servers = { a = {}, ${entry}, b = {} }`, "mcp_servers = { a = {}, b = {} }"],
    [`mcp_servers = { a = {}, ${entry} }`, "mcp_servers = { a = {} }"],
  ])("an entry is removed from %j", async (before, after) => {
    expect(await removeEntry(before, "kb")).toBe(after);
  });
});

describe("an entry as a table", () => {
  const short: Wanted = { fields: { command: "b" }, unwanted: ["url", "oauth"], note: "note" };

  test.each([
    [
      "empty",
      "[mcp_servers.kb] # ours\n\n[x]\n",
      '[mcp_servers.kb] # ours\ncommand = "b"\n\n[x]\n',
    ],
    ["indented", '  [mcp_servers.kb]\n\turl = "u"\n', '  [mcp_servers.kb]\n  command = "b"\n'],
    [
      "with tables of the other transport below it",
      '[mcp_servers.kb]\nurl = "u"\n\n[mcp_servers.kb.oauth]\nclient_id = "c"\nclient_secret = "s"\n\n[x]\n',
      '[mcp_servers.kb]\ncommand = "b"\n\n[x]\n',
    ],
    [
      "without a last line end",
      "[mcp_servers.kb]\nrequired = true",
      '[mcp_servers.kb]\nrequired = true\ncommand = "b"',
    ],
  ])("%s, gets the missing keys in place", async (_, before, after) => {
    expect(await mergeEntry(before, "kb", short)).toBe(after);
  });

  test.each([
    [
      "dotted keys that all go",
      '\nmcp_servers.kb.url = "u"',
      '\n\n[mcp_servers.kb]\ncommand = "b"\n# note\n',
    ],
    [
      "a table that goes, below another table",
      '[mcp_servers.kb]\ncommand = "b"\n[x]\na = 1\n[mcp_servers.kb.oauth]\nclient_id = "c"',
      '[mcp_servers.kb]\ncommand = "b"\n[x]\na = 1\n',
    ],
  ])("leaves the line end above the last line of the text: %s", async (_, before, after) => {
    expect(await mergeEntry(before, "kb", short)).toBe(after);
  });

  test("loses the bridge's note once the approval is set, and keeps the user's comments", async () => {
    const note = '# default_tools_approval_mode = "approve"   # codex exec refuses';
    const before = `[mcp_servers.kb]\ncommand = "b"\n# mine\n${note}\nrequired = true\n`;
    const approved = { fields: { default_tools_approval_mode: "writes" }, unwanted: [] };
    expect(await mergeEntry(before, "kb", approved)).toBe(
      '[mcp_servers.kb]\ncommand = "b"\n# mine\nrequired = true\ndefault_tools_approval_mode = "writes"\n',
    );
  });

  const unset: Wanted = {
    fields: { command: "b" },
    unwanted: ["required", "default_tools_approval_mode"],
    note: 'default_tools_approval_mode = "approve"   # codex exec refuses',
  };

  test.each([
    ["the last line", "", ""],
    ["an indented line", "  ", "\n"],
    ["a line with a remark", "", " # for now\n"],
  ])("gets the note again if its approval is removed: %s", async (_, indent, end) => {
    const before = `[mcp_servers.kb]\ncommand = "b"\nmine = 1\nrequired = true\n`;
    const after = await mergeEntry(
      `${before}${indent}default_tools_approval_mode = "writes"${end}`,
      "kb",
      unset,
    );
    expect(after).toBe(
      `[mcp_servers.kb]\ncommand = "b"\nmine = 1\n${indent}# ${unset.note}${end === "" ? "" : "\n"}`,
    );
    expect(await mergeEntry(after, "kb", unset)).toBe(after);
  });

  test("keeps one note if the user left it next to the approval", async () => {
    const noted = `[mcp_servers.kb]\ncommand = "b"\n# ${unset.note}\n`;
    const approved = `${noted}default_tools_approval_mode = "auto"\n`;
    expect(await mergeEntry(approved, "kb", unset)).toBe(noted);
  });

  test("keeps the approval of a user who uncommented the note", async () => {
    const taken = `[mcp_servers.kb]\ncommand = "b"\n${unset.note}\n`;
    expect(await mergeEntry(taken, "kb", unset)).toBe(taken);
  });

  test.each([
    ["mcp_servers.kb.", "\n", "\n"],
    ["mcp_servers.kb = { ", ", ", " }\n"],
  ])(
    "in another form (%s) loses its unwanted keys and gets no note",
    async (start, between, end) => {
      const pairs = [
        'command = "b"',
        "mine = 1",
        "required = true",
        'default_tools_approval_mode = "auto"',
      ];
      const separator = between === "\n" ? `\n${start}` : between;
      const write = (count: number) => start + pairs.slice(0, count).join(separator) + end;
      expect(await mergeEntry(write(4), "kb", unset)).toBe(write(2));
    },
  );

  test("is refused if it consists of dotted keys inside other tables", async () => {
    const before = 'mcp_servers = { kb.command = "a" }';
    const more: Wanted = { fields: { command: "a", args: [] }, unwanted: [] };
    await expect(mergeEntry(before, "kb", more)).rejects.toThrow("cannot be edited");
  });

  test("loses the keys of the other transport, also as an inline table", async () => {
    const before = '[mcp_servers]\nkb = { url = "u", command = "b", env = { A = "1" } } # c\n';
    expect(await mergeEntry(before, "kb", short)).toBe(
      '[mcp_servers]\nkb = { command = "b", env = { A = "1" } } # c\n',
    );
  });

  test("keeps an equal note in another table", async () => {
    const note = "# default_tools_approval_mode: see the manual\n";
    const text = `[mcp_servers.kb]\ncommand = "b"\n\n[x]\n${note}`;
    expect(await removeEntry(text, "kb")).toBe(`\n[x]\n${note}`);
  });

  test("is kept with an error if it cannot be removed cleanly", async () => {
    const text = 'mcp_servers = { kb.command = "a", kb.args = [], other = {} }';
    await expect(removeEntry(text, "kb")).rejects.toThrow("cannot be edited");
  });
});
