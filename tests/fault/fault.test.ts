import { describe, expect, test } from "bun:test";
import { classes } from "./classes.ts";
import { bridge } from "./support/program.ts";
import { playScenario } from "./support/scenario.ts";

for (const [name, scenarios] of Object.entries(classes)) {
  describe(name, () => {
    for (const scenario of scenarios) {
      test.concurrent(scenario.name, async () => {
        expect(await playScenario(bridge, scenario)).toEqual([]);
      }, 120_000);
    }
  });
}

test("every class holds at least eight scenarios of different names", () => {
  for (const scenarios of Object.values(classes)) {
    expect(new Set(scenarios.map((scenario) => scenario.name)).size).toBeGreaterThanOrEqual(8);
  }
});
