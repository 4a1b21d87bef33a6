import { expect, test } from "bun:test";
import { toolProblems } from "../../../src/upstream/core/tool-problems.ts";
import { acceptedEntries, fatalEntries, goodTool as good } from "../../support/strict-tools.ts";

const { inputSchema } = good;

test.each(fatalEntries)("a tool that %s costs the whole list", (problem, entry) => {
  const name = (entry as { name?: unknown } | null)?.name;
  const tool = typeof name === "string" ? name : "#2";
  expect(toolProblems([good, entry])).toEqual([{ index: 1, tool, problem, effect: "list" }]);
});

test.each(acceptedEntries)("%j has no fault", (entry) => {
  expect(toolProblems([good, entry])).toEqual([]);
});

test("a second tool of one name is left out", () => {
  expect(toolProblems([good, good])).toEqual([
    { index: 1, tool: "good", problem: "is listed twice", effect: "tool" },
  ]);
});

test("names and schemas that Codex alters are told, and cost no tool", () => {
  const description = "é".repeat(2500);
  const tools = [
    { name: "日本", inputSchema },
    { name: "n".repeat(65), inputSchema },
    { name: "t", inputSchema: { description } },
  ];
  expect(toolProblems(tools).map(({ problem, effect }) => [problem, effect])).toEqual([
    ['has a name that Codex can only show as "__"', "altered"],
    ["has a name of 65 characters; models take 64", "altered"],
    [
      "has an inputSchema of 5018 bytes; above 5000 Codex leaves out its descriptions and definitions",
      "altered",
    ],
  ]);
});

test("a name's control characters are not shown", () => {
  const [problem] = toolProblems([{ name: "a\u001b[2J\u202eb" }]);
  expect(problem?.tool).toBe("a [2J b");
});
