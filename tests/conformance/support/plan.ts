/** Scenarios of the suite that run with the same client. */
export interface Leg {
  readonly name: string;
  readonly scenarios: readonly string[];
  /** Expected number of scenarios: a suite that lost some would pass otherwise. */
  readonly count: number;
  /** Words behind `conformance`. */
  readonly words: (scenario: string) => string[];
}

/** A scenario as expected-failures.txt names it. */
export const named = (leg: Leg, scenario: string) => `${leg.name}: ${scenario}`;

/** The lines of expected-failures.txt, without comments. */
export function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/** Faults of the legs or of the list of expected failures, found before anything runs. */
export function faultsOf(legs: readonly Leg[], expected: readonly string[]): string[] {
  const known = new Set(legs.flatMap((leg) => leg.scenarios.map((one) => named(leg, one))));
  return [
    ...legs
      .filter(({ scenarios, count }) => scenarios.length !== count)
      .map(({ name, scenarios, count }) => `${name}: ${scenarios.length} scenarios, not ${count}`),
    ...expected
      .filter((line, at) => !known.has(line) || expected.indexOf(line) !== at)
      .map((line) => `expected-failures.txt names no scenario, or one twice: ${line}`),
  ];
}

/** The legs and scenarios whose names contain these words; legs without scenarios are left out. */
export function chosen(legs: readonly Leg[], leg: string, scenario: string): Leg[] {
  return legs
    .filter(({ name }) => name.includes(leg))
    .map((one) => ({ ...one, scenarios: one.scenarios.filter((name) => name.includes(scenario)) }))
    .filter(({ scenarios }) => scenarios.length > 0);
}
