// Adds up which lines of src/ ran, in the tests' processes (lcov) and in those they started
// (scripts/cover-child.ts), and fails under 90 %: bun scripts/coverage.ts LCOV FOLDER

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const atLeast = 90;
const [lcov, folder] = process.argv.slice(2);
if (lcov === undefined || folder === undefined)
  throw new Error("usage: bun scripts/coverage.ts LCOV FOLDER");

/** Of each file: its lines that can run, and whether they did. */
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

for (const name of readdirSync(folder)) {
  for (const row of readFileSync(join(folder, name), "utf8").split("\n")) {
    const [file = "", missed = ""] = row.split(" ");
    const known = files.get(file);
    if (known === undefined) continue;
    const ranges = missed.split(",").filter(Boolean);
    const gaps = ranges.map((range) => range.split("-").map(Number));
    for (const line of known.keys()) {
      const isMissed = gaps.some(([from, to = from]) => line >= from! && line <= to!);
      if (!isMissed) known.set(line, true);
    }
  }
}

let all = 0;
let ran = 0;
for (const [file, known] of [...files].sort()) {
  const missed = [...known].filter(([, did]) => !did).map(([line]) => line);
  all += known.size;
  ran += known.size - missed.length;
  if (known.size === 0) continue;
  const percent = Math.floor((100 * (known.size - missed.length)) / known.size);
  if (percent < atLeast)
    console.log(`${String(percent).padStart(3)} %  ${file}: ${missed.join(" ")}`);
}
const percent = Math.floor((1000 * ran) / Math.max(1, all)) / 10;
console.log(`${percent} % of ${all} lines of src/ ran`);
if (percent < atLeast) {
  console.error(`error: at least ${atLeast} % of the lines of src/ are to be run by the tests`);
  process.exit(1);
}
