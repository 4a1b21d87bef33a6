import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "../../bench/context.ts";
import { failuresOf, headlineOf, type Run, sentenceOf, tableOf } from "../../bench/report.ts";

const row = (id: string, values: Row["values"], notes: Row["notes"] = {}): Row => ({
  id,
  title: `title of ${id}`,
  unit: "ms",
  values,
  notes,
});

const run: Run = {
  date: "2026-11-23 22:31",
  machine: "2 x Z80",
  load: [0.1, 0.2],
  isQuick: false,
  systems: ["direct", "bridge", "bridge --no-cache", "floor"].map((name) => ({
    name,
    version: "1",
  })),
  rows: [
    row("start-http", { bridge: 9.187, "bridge --no-cache": 12, floor: 5 }),
    row("added-json-p50", { direct: 1.5, bridge: 90, floor: 45 }),
    row("flood-arrived", { direct: 10, bridge: 10, floor: 5 }, { floor: "it lost some" }),
    row("request-64", { direct: 3, bridge: null }, { bridge: "it broke" }),
    row("flood-ms", { direct: 3, bridge: 5, floor: 4 }, { floor: "it lost some" }),
    row("whole-json", { direct: 86.51, bridge: 1234.5 }),
  ],
};

test("the headline has the main rows with ours first, a first start from its own system, and the run's origin", () => {
  expect(headlineOf(run)).toMatchInlineSnapshot(`
    "| | unit | bridge | floor | direct |
    |---|---|---:|---:|---:|
    | start to \`initialize\`, with a catalog | ms | 9.19 | 5 |  |
    | start to \`initialize\`, first start | ms | 12 | 5 |  |
    | added to a call, median | us | 90 | 45 |  |
    | whole call, median | us | 1,235 |  | 86.5 |
    | 100,000 notifications | ms | 5 | 4\\* | 3 |

    \\* not all was done, or not well (docs/performance.md).

    2026-11-23 22:31, 2 x Z80, load 0.1 to 0.2. direct 1, bridge 1, bridge --no-cache 1, floor 1.
    "
  `);
});

test("the table has every row, and what a system failed at, beside its value where there is one", () => {
  const lines = tableOf(run).split("\n");
  expect(lines).toContain("| title of flood-arrived | ms | 10 | 10 |  | 5\\* |");
  expect(lines).toContain("| title of request-64 | ms | 3 | fails |  |  |");
  expect(lines).toContain("- floor: it lost some");
  expect(lines).toContain("- bridge: it broke");
});

test("the sentence names ours and mcp-remote side by side, and the day of the run", () => {
  const rows = [
    row("start-http", { bridge: 7.12, "mcp-remote": 301 }),
    row("added-json-p50", { bridge: 48.5, "mcp-remote": 629 }),
  ];
  expect(sentenceOf({ ...run, rows })).toBe(
    "The answer to `initialize` comes after 7.12 ms (301), a call takes 48.5 us (629) longer than without a bridge, " +
      "an idle bridge holds - MB (-); in parentheses mcp-remote, in one run on 2026-11-23\n",
  );
});

test("each goal tells how the floor does, other than where it is held to itself", () => {
  const starts = { bridge: 20, floor: 12, "hyper-mcp-remote": 10 };
  const lines = tableOf({ ...run, rows: [row("start-http", starts), row("rate-1", starts)] });
  const start = "start with a catalog, initialize, http, against";
  expect(lines).toContain(
    `| ${start} hyper-mcp-remote | at most 1 | 2 | **no** | 1.2, misses it |`,
  );
  expect(lines).toContain(`| ${start} floor | at most 1.5 | 1.67 | **no** |  |`);
  expect(lines).toContain(`| ${start} mcp-remote | at most 0.04 | - | not measured |  |`);
});

test("only what ours failed at is a failure of the run, with and without a catalog, each once", () => {
  const notes = { bridge: "it broke", "bridge --no-cache": "it lost some", "mcp-remote": "no" };
  const broken = row("x", {}, notes);
  expect(failuresOf([broken, broken, row("y", {}, { floor: "no" })])).toEqual([
    "bridge failed at title of x: it broke",
    "bridge --no-cache failed at title of x: it lost some",
  ]);
  expect(failuresOf([row("y", {}, { floor: "no" })])).toEqual([]);
});

test.each(["bench", "growth"])("docs/%s.svg is drawn to its end, in numbers", (name) => {
  const picture = readFileSync(join(import.meta.dir, `../../docs/${name}.svg`), "utf8");
  expect(picture).toMatch(/^<svg [^>]*viewBox="0 0 \d+ \d+"/);
  expect(picture).not.toMatch(/\$\{|NaN|Infinity|undefined/);
});
