// npm run bench [-- --quick] [--only start,latency,...] [--systems bridge,floor,...]
// Writes bench/out/result.json and result.md (quick.* with --quick); a whole run also docs/bench.svg and the
// table in docs/performance.md.
import { join } from "node:path";
import type { Amounts, Context, Row } from "./context.ts";
import { measureLarge } from "./measures/large.ts";
import { measureLatency } from "./measures/latency.ts";
import { measureMemory } from "./measures/memory.ts";
import { measureNotifications } from "./measures/notifications.ts";
import { measureStart } from "./measures/start.ts";
import { measureThroughput } from "./measures/throughput.ts";
import { caFile, machineName, makeHome, out, root, startServer } from "./parts.ts";
import { loadAverage } from "./process-facts.ts";
import { chartOf, type Run, tableOf } from "./report.ts";
import { findSystems } from "./systems.ts";

const measures: Record<string, (context: Context) => Promise<Row[]>> = {
  start: measureStart,
  latency: measureLatency,
  throughput: measureThroughput,
  memory: measureMemory,
  notifications: measureNotifications,
  large: measureLarge,
};

const quick: Amounts = {
  starts: 2,
  latencyRounds: 1,
  callsPerRound: 20,
  slowCalls: 3,
  throughputRounds: 1,
  throughputCalls: 400,
  memoryAfter: [200, 500],
  notifications: 1000,
  resultMB: [1],
  requestMB: [1],
  largeRounds: 1,
};

const whole: Amounts = {
  starts: 15,
  latencyRounds: 6,
  callsPerRound: 200,
  slowCalls: 15,
  throughputRounds: 3,
  throughputCalls: 6000,
  memoryAfter: [10_000, 20_000, 50_000],
  notifications: 100_000,
  resultMB: [1, 10, 100],
  requestMB: [8, 64],
  largeRounds: 3,
};

const [begin, end] = ["<!-- bench: begin -->", "<!-- bench: end -->"];

/** Puts the table where the document wants it. */
async function putTable(file: string, text: string): Promise<void> {
  const whole = await Bun.file(file).text();
  const from = whole.indexOf(begin);
  const to = whole.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no place for the table`);
  await Bun.write(file, `${whole.slice(0, from)}${begin}\n${text}${whole.slice(to)}`);
}

const words = process.argv.slice(2);
const isQuick = words.includes("--quick");

function listed(option: string): string[] | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1]?.split(",");
}

const server = await startServer();
const only = listed("--only");
const wanted = listed("--systems");
const found = findSystems({ out, root, home: makeHome(), caFile, ...server });
const systems = found.filter(({ name }) => name === "direct" || (wanted?.includes(name) ?? true));
const before = loadAverage();
const context: Context = {
  systems,
  serverUrl: `http://127.0.0.1:${server.port}`,
  amounts: isQuick ? quick : whole,
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
const name = isQuick ? "quick" : "result";
await Bun.write(join(out, `${name}.json`), `${JSON.stringify(run, null, 2)}\n`);
await Bun.write(join(out, `${name}.md`), table);
if (!isQuick && only === undefined && wanted === undefined) {
  await Bun.write(join(root, "docs/bench.svg"), chartOf(run));
  await putTable(join(root, "docs/performance.md"), table);
}
console.log(table);
// In CI a quick run proves that the bridge does everything that is measured; it says nothing about time.
const failed = rows.filter((row) => "bridge" in row.notes);
for (const {
  id,
  notes: { bridge },
} of failed)
  console.error(`bridge failed at ${id}: ${bridge}`);
process.exit(failed.length > 0 ? 1 : 0);
