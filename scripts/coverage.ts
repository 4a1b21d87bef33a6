// Tells how many lines of src/ ran in the test processes and fails below the floor: bun scripts/coverage.ts LCOV
// Lines that only the compiled executable runs do not count: coverage does not reach into its processes.

import { readFileSync } from "node:fs";

const floorPercent = 80;
const [lcov] = process.argv.slice(2);
if (lcov === undefined) throw new Error("usage: bun scripts/coverage.ts LCOV");

/** Of each file: its lines that can run, and whether a test process ran them. */
const files = new Map<string, Map<number, boolean>>();
let lines = new Map<number, boolean>();
for (const row of readFileSync(lcov, "utf8").split("\n")) {
  const [, key, value = ""] = /^(SF|DA):(.*)$/.exec(row) ?? [];
  if (key === "SF") {
    lines = files.get(value) ?? new Map();
    if (value.startsWith("src/")) files.set(value, lines);
  } else if (key === "DA") {
    const [line, hits] = value.split(",").map(Number);
    lines.set(line!, lines.get(line!) === true || hits! > 0);
  }
}

const percentOf = (ran: number, all: number) => Math.floor((1000 * ran) / Math.max(1, all)) / 10;

const counts = [...files].map(([file, known]) => ({
  file,
  all: known.size,
  ran: [...known.values()].filter((ran) => ran).length,
}));
const all = counts.reduce((sum, count) => sum + count.all, 0);
const ran = counts.reduce((sum, count) => sum + count.ran, 0);
const percent = percentOf(ran, all);
console.log(`${percent} % of ${all} lines of src/ ran in the test processes`);
if (percent < floorPercent) {
  for (const { file, all, ran } of counts.sort((a, b) => b.all - b.ran - (a.all - a.ran)))
    if (ran < all) console.error(`${file}: ${all - ran} of ${all} lines did not run`);
  console.error(`error: at least ${floorPercent} % must run`);
  process.exit(1);
}
