import fc from "fast-check";

/** A configuration of Codex made by chance, cut at the places where the server "kb" stands. */
export interface Configuration {
  /** What is not the server's, in order; the server stands between the pieces. */
  readonly others: readonly string[];
  /** The server's own pieces, one fewer. */
  readonly own: readonly string[];
}

const words = fc.constantFrom("alpha", "b-2", "under_score", "UPPER", "0", "mcp_servers", "kb");
const comment = fc
  .string({ unit: "grapheme", maxLength: 30 })
  .map((text) => `# ${text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, "?")}`);

/** Values of every kind, with text in them that looks like our table. */
const value: fc.Arbitrary<string> = fc.oneof(
  fc.integer().map(String),
  fc.constantFrom("true", "false", "1979-05-27T07:32:00Z", "07:32:00", "0xDEAD_BEEF", "6.02e23"),
  fc.constantFrom("''", '"\\u00e9\\t\\"#"', "'C:\\dir # no comment'", '"[mcp_servers.kb]"'),
  fc.constantFrom(
    '"""\n[mcp_servers.kb]\ncommand = "codex-mcp-http-bridge"\n"""',
    "'''\n# [mcp_servers.kb]\n'''",
    '[ # a comment\n  "x", # [mcp_servers.kb]\n  [1, 2],\n]',
    '{ command = "npx", args = ["-y"], "quo ted" = 1 }',
  ),
);

const header = fc.constantFrom(
  (id: number) => `[t${id}]`,
  (id: number) => `[ "t ${id}" . 'x' ]  # why`,
  (id: number) => `[[list${id}]]`,
  (id: number) => `[mcp_servers.other${id}]`,
  (id: number) => `  [mcp_servers."other ${id}"]`,
  (id: number) => `[mcp_servers.other${id}.env]`,
  (id: number) => `[profiles.kb.mcp_servers${id}.kb]`,
);

type Line = string | readonly [word: string, value: string, note: string | null];

const note: fc.Arbitrary<string | null> = fc.option(comment);
const pair: fc.Arbitrary<Line> = fc.tuple(words, value, note);
const line: fc.Arbitrary<Line> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom<Line[]>("", "  ", "\t") },
  { weight: 2, arbitrary: comment },
  { weight: 4, arbitrary: pair },
);

function render(id: string, lines: readonly Line[]): string[] {
  return lines.map((each, at) => {
    if (typeof each === "string") return each;
    const [word, text, note] = each;
    return `${word}${id}x${at} = ${text}${note === null ? "" : ` ${note}`}`;
  });
}

const sections = (tag: number) =>
  fc
    .array(fc.tuple(header, fc.array(line, { maxLength: 4 })), { maxLength: 3 })
    .map((all) =>
      all.flatMap(([head, lines], at) => [head(tag * 10 + at), ...render(`s${at}`, lines)]),
    );

/** Our server's own keys, besides those that are ours to set. */
const extras = fc.subarray([
  'enabled_tools = ["query", "report"] # mine',
  "enabled = false",
  "# a remark of mine",
  'default_tools_approval_mode = "prompt"',
  "required = true",
]);

const ours = [
  'command = "/old/codex-mcp-http-bridge"  # moved',
  'args = [\n  "run",\n  "--server", "kb", # this one\n]',
  "tool_timeout_sec = 60",
];
const python = [
  'command = "python"',
  'args = ["-m", "codex_mcp_http_bridge", "run", "--server", "kb"]',
  'cwd = "/venv"',
];
const native = [
  'url = "https://kb.example/mcp"',
  'http_headers_helper = "/old/codex-mcp-http-bridge headers --server kb"',
];
const body = fc
  .tuple(fc.constantFrom(ours, python, native), extras)
  .chain(([keys, more]) =>
    fc.shuffledSubarray([...keys, ...more], { minLength: keys.length + more.length }),
  );

interface Form {
  /** Lines before the sections: keys of the root table. */
  readonly root?: readonly string[];
  readonly open?: readonly string[];
  readonly own: readonly string[];
  /** Where a table of the server follows after others' sections. */
  readonly below?: readonly string[];
}

const isKey = (each: string) => !each.startsWith("#");
const inline = (lines: readonly string[]) =>
  lines
    .filter(isKey)
    .map((each) => each.replace(/\s*#[^\n"]*$/gm, "").replaceAll("\n", " "))
    .join(", ");

/** Every form that TOML has for the entry. */
const form: fc.Arbitrary<Form> = fc.oneof(
  fc.constant({ own: [] }),
  fc
    .tuple(fc.constantFrom("mcp_servers.kb", 'mcp_servers."kb"', " 'mcp_servers' . kb "), body)
    .map(([name, lines]) => ({ own: [`[${name}] # ours`, ...lines] })),
  body.map((lines) => ({
    own: ["[mcp_servers.kb]", ...lines],
    below: ["[mcp_servers.kb.env]", 'LOG_LEVEL = "debug"'],
  })),
  body.map((lines) => ({
    open: ["[mcp_servers] # all", 'first.command = "x" # another'],
    own: lines.filter(isKey).map((each) => `  "kb" . ${each}`),
  })),
  body.map((lines) => ({
    root: lines.filter(isKey).map((each) => `mcp_servers.kb.${each}`),
    own: [],
  })),
  body.map((lines) => ({ open: ["[mcp_servers]"], own: [`kb = { ${inline(lines)} } # inline`] })),
);

/** Configurations with comments, traps, all forms of the entry, both line ends, with and without a last one. */
export const configurations: fc.Arbitrary<Configuration> = fc
  .record({
    top: fc.array(line, { maxLength: 3 }).map((lines) => render("root", lines)),
    before: sections(1),
    form,
    after: sections(2),
    end: sections(3),
    lineEnd: fc.constantFrom("\n", "\r\n"),
    isEnded: fc.boolean(),
    mark: fc.constantFrom("", "\ufeff"),
  })
  .map(({ top, before, form, after, end, lineEnd, isEnded, mark }) => {
    const join = (lines: readonly string[]) =>
      lines.map((each) => each.replaceAll("\n", lineEnd) + lineEnd).join("");
    const isRoot = form.root !== undefined;
    const pieces = isRoot
      ? [join(top), join(form.root ?? []), join([...before, ...after, ...end])]
      : [
          join([...top, ...before, ...(form.open ?? [])]),
          join(form.own),
          join(after),
          join(form.below ?? []),
          join(end),
        ];
    pieces[0] = mark + pieces[0];
    const last = pieces.findLastIndex((piece) => piece !== "");
    if (!isEnded && last > 0) pieces[last] = pieces[last]!.slice(0, -lineEnd.length);
    return {
      others: pieces.filter((_, at) => at % 2 === 0),
      own: pieces.filter((_, at) => at % 2 === 1),
    };
  });

/** The configuration as text. */
export function textOf({ others, own }: Configuration): string {
  return others.map((piece, at) => piece + (own[at] ?? "")).join("");
}
