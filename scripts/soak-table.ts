#!/usr/bin/env bun
// Runs the faults and the soak through the bridge and through mcp-remote, and writes the table in
// docs/reliability.md. BRIDGE_BIN names the compiled bridge; mcp-remote comes from tests/soak/peer (run npm ci
// there first). Words choose classes of faults; SOAK_CALLS sets the number of calls (10000).
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { classes } from "../tests/fault/classes.ts";
import { bridge, type Program, token } from "../tests/fault/support/program.ts";
import { playScenario, type Scenario } from "../tests/fault/support/scenario.ts";
import type { Problem } from "../tests/fault/support/trip.ts";
import { type SoakResult, soak } from "../tests/soak/soak.ts";

const root = join(import.meta.dir, "..");
const document = join(root, "docs/reliability.md");
const [begin, end] = ["<!-- table: begin -->", "<!-- table: end -->"];

const peer: Program = {
  name: "mcp-remote 0.15.1",
  hasKinds: false,
  prepare(home, url, { timeoutSec = 118, connectTimeoutSec = 10, network = {}, transport }) {
    const seconds = String(timeoutSec);
    const { caFile } = network as { caFile?: string };
    mkdirSync(join(home, "auth"));
    return {
      argv: [
        Bun.which("node") ?? "node",
        join(root, "tests/soak/peer/node_modules/mcp-remote/dist/proxy.js"),
        url,
        ...["--transport", transport === "sse" ? "sse-only" : "http-only"],
        // The bridge finds the protocol by itself, too.
        ...["--protocol", "auto"],
        ...["--allow-http", "--header", `Authorization:Bearer ${token}`],
        // The same deadlines as the bridge has.
        ...["--headers-timeout", seconds, "--body-timeout", seconds],
        ...["--connect-timeout", String(connectTimeoutSec)],
      ],
      env: {
        HOME: home,
        PATH: "/usr/bin:/bin",
        MCP_REMOTE_CONFIG_DIR: join(home, "auth"),
        ...(caFile !== undefined && { NODE_EXTRA_CA_CERTS: caFile }),
      },
    };
  },
};

/** The checks for a program without our error kinds, memory limits and log. */
const counted: readonly Problem["check"][] = [
  "answer",
  "time",
  "executed",
  "next",
  "output",
  "end",
];

async function isHeld(program: Program, scenario: Scenario): Promise<boolean> {
  const problems = await playScenario(program, scenario).catch((): Problem[] => [
    { check: "end", text: "could not be played" },
  ]);
  return problems.every(({ check }) => !counted.includes(check));
}

async function held(program: Program, scenarios: readonly Scenario[]): Promise<number> {
  const results = await Promise.all(scenarios.map((scenario) => isHeld(program, scenario)));
  return results.filter((result) => result).length;
}

const words = process.argv.slice(2);
const programs = [bridge, peer];
const rows: string[] = [];
const totals = [0, 0];
let count = 0;
for (const [name, scenarios] of Object.entries(classes)) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  const cells: number[] = [];
  for (const program of programs) cells.push(await held(program, scenarios));
  count += scenarios.length;
  for (const [at, cell] of cells.entries()) totals[at]! += cell;
  rows.push(`| ${name} | ${scenarios.length} | ${cells.join(" | ")} |`);
  console.error(rows.at(-1));
}
rows.push(`| **all** | **${count}** | **${totals[0]}** | **${totals[1]}** |`);

const calls = Number(process.env.SOAK_CALLS ?? 10_000);
const soaks: SoakResult[] = [];
for (const program of programs) soaks.push(await soak(program, calls, 1));
const row = (name: string, cell: (result: SoakResult) => string | number) =>
  `| ${name} | | ${soaks.map(cell).join(" | ")} |`;
const number = (value: number) => value.toLocaleString("en-US");
rows.push(
  row(`soak of ${number(calls)} calls, 10 % faults: calls made within five minutes`, (r) =>
    number(r.calls),
  ),
  row("results", (r) => number(r.results)),
  row("errors", (r) => number(r.errors)),
  row("calls never answered", (r) => number(r.lost)),
  row("answered twice", (r) => r.answeredTwice),
  row("executed twice without permission", (r) => r.executedTwice),
  row("memory that each call left, bytes", (r) =>
    number(Math.max(0, Math.round((r.endBytes - r.warmBytes) / (r.calls - calls / 5)))),
  ),
  row("seconds", (r) => (r.ms / 1000).toFixed(1)),
);

const table = [
  `Made by \`scripts/soak-table.ts\` on ${new Date().toISOString().slice(0, 10)}. A scenario is passed if every`,
  "request got exactly one answer in time and was executed as often as allowed, the next call worked, stdout carried",
  "only messages, and the program ended by itself. The bridge's error kinds and memory limits are not checked.",
  "",
  `| faults | scenarios | ${programs.map(({ name }) => name).join(" | ")} |`,
  "| --- | --- | --- | --- |",
  ...rows,
].join("\n");
console.log(table);
if (words.length === 0) {
  const text = readFileSync(document, "utf8");
  const [before] = text.split(begin);
  const after = text.split(end)[1];
  writeFileSync(document, `${before}${begin}\n${table}\n${end}${after}`);
}
