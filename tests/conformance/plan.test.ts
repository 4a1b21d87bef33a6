import { expect, test } from "bun:test";
import { chosen, faultsOf, type Leg, linesOf } from "./support/plan.ts";

const leg = (name: string, scenarios: readonly string[], count = scenarios.length): Leg => ({
  name,
  scenarios,
  count,
  words: () => [],
});
const legs = [leg("old client", ["a", "b"]), leg("new client", ["b"])];

test("a plan whose counts and expected failures are right has no fault", () => {
  expect(faultsOf(legs, linesOf("# why\nold client: b # for good\n\n"))).toEqual([]);
});

test("a leg that lost or gained a scenario is a fault", () => {
  expect(faultsOf([leg("old client", ["a", "b"], 3)], [])).toEqual([
    "old client: 2 scenarios, not 3",
  ]);
});

test.each([
  ["a scenario that does not exist", "old client: c"],
  ["a leg that does not exist", "client: a"],
  ["a scenario twice", "old client: a\nold client: a"],
])("an expected failure that names %s is a fault", (_, text) => {
  const [fault, ...others] = faultsOf(legs, linesOf(text));
  expect(fault).toContain(text.split("\n")[0]!);
  expect(others).toEqual([]);
});

test("words choose legs and scenarios by parts of their names, and may choose none", () => {
  const names = (found: Leg[]) => found.map(({ name, scenarios }) => [name, ...scenarios]);
  expect(names(chosen(legs, "", ""))).toEqual([
    ["old client", "a", "b"],
    ["new client", "b"],
  ]);
  expect(names(chosen(legs, "client", "a"))).toEqual([["old client", "a"]]);
  expect(chosen(legs, "newest", "")).toEqual([]);
});
