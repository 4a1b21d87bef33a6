// npm run bench [-- --quick] [--only start,latency,...] [--systems bridge,floor,...]
// Writes bench/out/result.json and result.md (quick.* with --quick, partial.* with a selection); a whole run also writes
// docs/bench.svg, the tables in docs/performance.md and docs/alternatives.md, and the sentence in README.md. Exits with 1 if the bridge did something wrong.
import { join } from "node:path";
import type { Amounts, Context, Row } from "./context.ts";
import { measureConduct } from "./measures/conduct.ts";
import { measureLarge } from "./measures/large.ts";
import { measureLatency } from "./measures/latency.ts";
import { measureMemory } from "./measures/memory.ts";
import { measureNotifications } from "./measures/notifications.ts";
import { measureStart } from "./measures/start.ts";
import { measureThroughput } from "./measures/throughput.ts";
import { machineName, makeHome, out, places, root, startServer } from "./parts.ts";
import { loadAverage } from "./process-facts.ts";
import { chartOf, failuresOf, headlineOf, type Run, sentenceOf, tableOf } from "./report.ts";
import { findSystems } from "./systems.ts";

const measures: Record<string, (context: Context) => Promise<Row[]>> = {
  start: measureStart,
  latency: measureLatency,
  throughput: measureThroughput,
  memory: measureMemory,
  notifications: measureNotifications,
  large: measureLarge,
  conduct: measureConduct,
};

const quick: Amounts = {
  starts: 2,
  warmUpCalls: 50,
  latencyRounds: 1,
  callsPerRound: 20,
  slowCalls: 3,
  throughputRounds: 1,
  throughputCalls: 400,
  memoryRounds: 1,
  memoryAfter: [200, 500],
  floodRounds: 1,
  notifications: 1000,
  resultMB: [1],
  requestMB: [1],
  largeRounds: 1,
};

const whole: Amounts = {
  starts: 15,
  warmUpCalls: 5000,
  latencyRounds: 6,
  callsPerRound: 500,
  slowCalls: 50,
  throughputRounds: 3,
  throughputCalls: 6000,
  memoryRounds: 3,
  memoryAfter: [10_000, 20_000, 50_000],
  floodRounds: 3,
  notifications: 100_000,
  resultMB: [1, 10, 100],
  requestMB: [8, 64],
  largeRounds: 3,
};

const [begin, end] = ["<!-- bench: begin -->", "<!-- bench: end -->"];

/** Writes the table between the marks of a document. */
async function putTable(file: string, text: string): Promise<void> {
  const whole = await Bun.file(file).text();
  const from = whole.indexOf(begin);
  const to = whole.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no marks for the table`);
  await Bun.write(file, `${whole.slice(0, from)}${begin}\n${text}${whole.slice(to)}`);
}

const words = process.argv.slice(2);
const isQuick = words.includes("--quick");

/** The words after an option. Throws for an unknown one, which would measure nothing and pass. */
function listed(option: string, known: readonly string[]): readonly string[] | undefined {
  const at = words.indexOf(option);
  if (at < 0) return undefined;
  const chosen = words[at + 1]?.split(",") ?? [];
  const unknown = chosen.find((word) => !known.includes(word));
  if (chosen.length > 0 && unknown === undefined) return chosen;
  throw new Error(`${option} takes some of ${known.join(",")}`);
}

const server = await startServer();
const found = findSystems({ ...places, home: makeHome(), ...server });
const only = listed("--only", Object.keys(measures));
const wanted = listed(
  "--systems",
  found.map(({ name }) => name),
);
const systems = found.filter(({ name }) => name === "direct" || (wanted?.includes(name) ?? true));
const before = loadAverage();
const context: Context = {
  systems,
  amounts: isQuick ? quick : whole,
  tallies: () => server.tallies(),
  say: (text) => console.error(text),
};
const rows: Row[] = [];
const lasting = { ...context, systems: systems.filter(({ isStartOnly }) => !isStartOnly) };
for (const [name, measure] of Object.entries(measures))
  if (only?.includes(name) ?? true)
    rows.push(...(await measure(name === "start" ? context : lasting)));
await server.stop();

const run: Run = {
  date: new Date().toISOString().slice(0, 16).replace("T", " "),
  machine: machineName(),
  load: [before, loadAverage()],
  isQuick,
  systems: systems.map(({ name, version }) => ({ name, version })),
  rows,
};
const table = tableOf(run);
const isPartial = only !== undefined || wanted !== undefined;
const name = isPartial ? "partial" : isQuick ? "quick" : "result";
await Bun.write(join(out, `${name}.json`), `${JSON.stringify(run, null, 2)}\n`);
await Bun.write(join(out, `${name}.md`), table);
if (!isQuick && !isPartial) {
  await Bun.write(join(root, "docs/bench.svg"), chartOf(run));
  await putTable(join(root, "docs/performance.md"), table);
  await putTable(join(root, "docs/alternatives.md"), headlineOf(run));
  await putTable(join(root, "README.md"), sentenceOf(run));
}
console.log(table);
const failures = failuresOf(rows);
for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
