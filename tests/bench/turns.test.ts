import { describe, expect, test } from "bun:test";
import type { System } from "../../bench/systems.ts";
import { addFaults, orderOf, rowOfTurns, takeTurns } from "../../bench/turns.ts";

const open = () => {
  throw new Error("nobody is opened here");
};
const systems: System[] = ["a", "b", "c"].map((name) => ({
  name,
  version: "",
  isStartOnly: false,
  open,
}));

describe("turns", () => {
  test("each round begins with another system, and every second one goes backwards", () => {
    const order = [0, 1, 2, 3].map((round) => orderOf(["a", "b", "c"], round).join(""));
    expect(order).toEqual(["abc", "bac", "cab", "acb"]);
  });

  test("are taken round by round, and a warm-up does not count", async () => {
    const taken: string[] = [];
    const { samples } = await takeTurns(
      systems,
      { rounds: 2, warmsUp: true },
      async ({ name }, isWarmUp) => taken.push(isWarmUp ? `(${name})` : name),
    );
    expect(taken.join("")).toBe("(a)(b)(c)baccab");
    expect([...samples.values()].map((found) => found.length)).toEqual([2, 2, 2]);
  });

  test("end for a system that fails: it has a note and no sample, and the others go on", async () => {
    let turnsOfB = 0;
    const { samples, notes } = await takeTurns(systems, { rounds: 3 }, async ({ name }) => {
      if (name === "b" && ++turnsOfB === 2) throw new Error("it broke");
      return 1;
    });
    expect(turnsOfB).toBe(2);
    expect(notes).toEqual({ b: "it broke" });
    expect(Object.fromEntries(samples)).toEqual({ a: [1, 1, 1], b: [], c: [1, 1, 1] });
  });

  test("end for a system whose turn takes too long, and its sample stays", async () => {
    const options = { rounds: 3, longestTurnMs: -1 };
    const { samples, notes } = await takeTurns(systems, options, async () => 1);
    expect(Object.fromEntries(samples)).toEqual({ a: [1], b: [1], c: [1] });
    expect(notes).toEqual({});
  });

  test("become a row of medians; what is wrong with a sample stands beside its value", async () => {
    const values: Record<string, number[]> = { a: [5, 1, 9], b: [0, 7, 7], c: [2, 2, 2] };
    const turns = await takeTurns(
      systems,
      { rounds: 3 },
      async ({ name }) => values[name]!.shift()!,
    );
    addFaults(turns, (value) => (value === 0 ? "nothing" : undefined));
    const least = (found: readonly number[]) => Math.min(...found);
    const pick = (value: number) => (value === 2 ? undefined : value);
    expect(rowOfTurns("x", "X", "ms", turns, pick)).toEqual({
      id: "x",
      title: "X",
      unit: "ms",
      values: { a: 5, b: 7, c: null },
      notes: { b: "nothing" },
    });
    expect(rowOfTurns("x", "X", "ms", turns, pick, least).values).toEqual({ a: 1, b: 0, c: null });
  });
});
