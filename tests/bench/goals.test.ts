import { describe, expect, test } from "bun:test";
import type { Row } from "../../bench/context.ts";
import { isMet, judge } from "../../bench/goals.ts";

const row = (id: string, values: Row["values"]): Row => ({
  id,
  title: id,
  unit: "",
  values,
  notes: {},
});

/** The value of a goal in a run of these rows, and whether it is met. */
function judged(text: string, ...rows: Row[]) {
  const goal = judge(rows).find((one) => one.text === text);
  if (goal === undefined) throw new Error(`no goal: ${text}`);
  return [goal.value, isMet(goal)];
}

describe("a goal", () => {
  test.each([
    ["at its bound is met", 40, [0.04, true]],
    ["beyond its bound is not", 41, [0.041, false]],
  ])("%s", (_, bridge, expected) => {
    const values = { bridge, "mcp-remote": 1000 };
    const text = "start with a catalog, initialize, http, against mcp-remote";
    expect(judged(text, row("start-http", values))).toEqual(expected);
  });

  test("of more is met from its bound on", () => {
    const text = "calls a second, 16 in flight, against mcp-remote";
    const values = { bridge: 1200, "mcp-remote": 100 };
    expect(judged(text, row("rate-16", values))).toEqual([12, true]);
    expect(judged(text, row("rate-16", { ...values, bridge: 1190 }))).toEqual([11.9, false]);
  });

  test("of a first start takes the bridge without what it learned", () => {
    const values = { bridge: 1, "bridge --no-cache": 80, "mcp-remote": 1000 };
    const text = "first start, tools/list, https, against mcp-remote";
    expect(judged(text, row("tools-https", values))).toEqual([0.08, false]);
  });

  test.each([
    ["what it needs is not there", {}],
    ["a system could not do it", { bridge: 1, "mcp-remote": null }],
    ["a system has no samples", { bridge: Number.NaN, "mcp-remote": 100 }],
  ])("is not measured where %s", (_, values: Row["values"]) => {
    const text = "CPU, 1 in flight, against mcp-remote";
    expect(judged(text, row("cpu-1", values))).toEqual([undefined, undefined]);
  });

  test.each([
    ["clear of the noise", { direct: 5, bridge: 50, "mcp-remote": 1000 }, [0.05, true]],
    ["negative", { direct: 5, bridge: -50, "mcp-remote": 1000 }, [undefined, undefined]],
    ["negative on both sides", { direct: 5, bridge: -5, "mcp-remote": -1 }, [undefined, undefined]],
    [
      "smaller than the noise",
      { direct: 60, bridge: 50, "mcp-remote": 1000 },
      [undefined, undefined],
    ],
    ["of unknown noise", { bridge: 50, "mcp-remote": 1000 }, [undefined, undefined]],
  ] as const)("of added time that is %s: %j", (_, values, expected) => {
    expect(judged("added p99, TLS, against mcp-remote", row("added-tls-p99", values))).toEqual([
      ...expected,
    ]);
  });

  test("of little growth is met where memory shrinks", () => {
    const text = "growth from 20,000 to 50,000 calls, KB per 1,000 calls";
    const rows = (after: number) => [
      row("rss-20000", { bridge: 70 }),
      row("rss-50000", { bridge: after }),
    ];
    expect(judged(text, ...rows(69))).toEqual([0, true]);
    expect(judged(text, ...rows(76))).toEqual([200, false]);
  });
});

test("every sentence of speed has its goals, each once", () => {
  const texts = judge([]).map(({ text }) => text);
  expect(new Set(texts).size).toBe(texts.length);
  const count = (pattern: RegExp) => texts.filter((text) => pattern.test(text)).length;
  // Over both wires, to initialize and to tools/list, with and without a catalog.
  for (const other of ["mcp-remote", "floor", "hyper-mcp-remote"])
    expect(count(new RegExp(`start.* against ${other}$`))).toBe(8);
  expect(count(/^added p50, .* against mcp-remote$/)).toBe(3);
  expect(count(/^added p99, .* against mcp-remote$/)).toBe(3);
  expect(count(/^added p50, .* against floor$/)).toBe(3);
  expect(count(/^whole call/)).toBe(3);
  expect(count(/^calls a second, .* against mcp-remote$/)).toBe(3);
  expect(count(/^calls a second, .* against floor$/)).toBe(4);
  expect(count(/^CPU, .* against mcp-remote$/)).toBe(4);
  expect(count(/^idle shutdown/)).toBe(4);
});
