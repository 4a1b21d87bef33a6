// The official MCP conformance suite against the compiled bridge: bun tests/conformance/run.ts [LEG [SCENARIO]] (parts of names).
// Ends with `N passed, N failed`. A scenario of expected-failures.txt that passes counts as failed. Errors: words that choose
// nothing, a leg with an unexpected number of scenarios, an expected failure that is not a scenario.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBridge } from "../support/binary.ts";
import { endOf } from "../support/program.ts";
import type { LegWord } from "./support/bridge.ts";
import { serveFront } from "./support/front.ts";
import { chosen, faultsOf, type Leg, linesOf, named } from "./support/plan.ts";
import { serveReference } from "./support/reference-server.ts";

interface Requirements {
  readonly server: string[];
  readonly client: string[];
  readonly not_scored: { readonly scenario: string; readonly leg: string }[];
}

interface Outcome {
  readonly passed: boolean;
  readonly output: string;
  readonly ms: number;
}

const root = join(import.meta.dir, "../..");
const suite = join(root, "node_modules/@modelcontextprotocol/conformance");
/** Concurrent scenarios. Few, because sse-retry measures time and CI has two cores. */
const parallel = 2;
const scenarioMs = 60_000;

function requirements(revision: string): Requirements {
  const text = readFileSync(join(suite, "requirements", `${revision}.yaml`), "utf8");
  return Bun.YAML.parse(text) as Requirements;
}

const clientWords =
  (program: string, revision?: string, ...words: LegWord[]) =>
  (scenario: string) => [
    "client",
    "--command",
    [process.execPath, join(import.meta.dir, program), ...words].join(" "),
    "--scenario",
    scenario,
    ...(revision === undefined ? [] : ["--spec-version", revision]),
  ];

function legsFor(frontUrl: string, combinedUrl: string): Leg[] {
  const older = requirements("2025-11-25");
  const newer = requirements("2026-07-28");
  const extra = (leg: string, { not_scored }: Requirements) =>
    not_scored.filter((one) => one.leg === leg).map(({ scenario }) => scenario);
  const signIns = (scenarios: string[]) => scenarios.filter((name) => name.startsWith("auth/"));
  const extensions = signIns(extra("client", newer));
  return [
    {
      name: "2025-11-25 session client",
      scenarios: older.client,
      count: 18,
      words: clientWords("session-client.ts", "2025-11-25"),
    },
    {
      name: "2026-07-28 stateless client",
      scenarios: newer.client,
      count: 32,
      words: clientWords("stateless-client.ts", "2026-07-28"),
    },
    {
      name: "2026-07-28 session client",
      scenarios: newer.client,
      count: 32,
      // Without "protocol" the server would first get the client's own initialize, which four scenarios count as wrong.
      words: clientWords("session-client.ts", "2026-07-28", "stateless"),
    },
    {
      name: "2025-11-25 session client, --sign-in browser",
      scenarios: signIns(older.client),
      count: 14,
      words: clientWords("session-client.ts", "2025-11-25", "browser"),
    },
    {
      name: "2026-07-28 stateless client, --sign-in browser",
      scenarios: signIns(newer.client),
      count: 25,
      words: clientWords("stateless-client.ts", "2026-07-28", "browser"),
    },
    {
      name: "2025-03-26 session client",
      scenarios: ["metadata-backcompat", "endpoint-fallback"].map(
        (name) => `auth/2025-03-26-oauth-${name}`,
      ),
      count: 2,
      words: clientWords("session-client.ts", "2025-03-26"),
    },
    {
      name: "extensions",
      scenarios: extensions,
      count: 6,
      words: clientWords("session-client.ts"),
    },
    {
      name: "schema preservation",
      scenarios: ["json-schema-2020-12-preservation"],
      count: 1,
      words: clientWords("stateless-client.ts", "2026-07-28"),
    },
    ...[
      { name: "2025-11-25 server in reverse", url: frontUrl },
      { name: "2025-11-25 server in reverse, combined", url: combinedUrl },
    ].map(({ name, url }) => ({
      name,
      scenarios: [...older.server, ...extra("server", older)],
      count: 33,
      words: (scenario: string) => [
        ...["server", "--url", url, "--scenario", scenario],
        ...["--spec-version", "2025-11-25"],
      ],
    })),
  ];
}

/** Runs one scenario; it passes if the suite exits with 0 and no warning (the suite itself tolerates warnings). */
async function run(words: readonly string[]): Promise<Outcome> {
  const startedAt = performance.now();
  const child = Bun.spawn([process.execPath, "--bun", join(suite, "dist/index.js"), ...words], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: scenarioMs,
  });
  const { code, stdout: out, stderr: errors } = await endOf(child);
  const ms = Math.round(performance.now() - startedAt);
  const output = `${out}\n${errors}`;
  return { passed: code === 0 && /, 0 failed, 0 warnings/.test(output), output, ms };
}

/** The lines of the suite's report with failures. */
function reasons(output: string): string {
  const lines = output.split("\n");
  const wrong = /✗|FAIL|WARNING|Error:|Warning:|exited with|TIMED OUT|ended with/;
  return lines
    .filter((line) => wrong.test(line))
    .slice(-12)
    .map((line) => `    ${line.trim().slice(0, 300)}`)
    .join("\n");
}

compiledBridge();
const [wantedLeg = "", wantedScenario = ""] = process.argv.slice(2);
const expected = linesOf(readFileSync(join(import.meta.dir, "expected-failures.txt"), "utf8"));
const reference = serveReference();
const front = serveFront(reference.url);
const combined = serveFront(reference.url, "combined");
let passed = 0;
let failed = 0;
let awaited = 0;
try {
  const legs = legsFor(front.url, combined.url);
  const faults = faultsOf(legs, expected);
  const wanted = chosen(legs, wantedLeg, wantedScenario);
  if (wanted.length === 0)
    faults.push(`no leg and scenario is called so: ${process.argv.slice(2)}`);
  failed += faults.length;
  for (const fault of faults) console.log(`FAILED ${fault}`);
  for (const leg of wanted) {
    const waiting = [...leg.scenarios];
    let good = 0;
    const total = waiting.length;
    const work = async () => {
      for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
        const outcome = await run(leg.words(scenario));
        const name = named(leg, scenario);
        const isExpected = expected.includes(name);
        if (outcome.passed) good++;
        if (outcome.passed && !isExpected) passed++;
        else if (!outcome.passed && isExpected) awaited++;
        else {
          failed++;
          const why = isExpected
            ? "    passes, but expected-failures.txt lists it"
            : reasons(outcome.output);
          console.log(`FAILED ${name} (${outcome.ms} ms)\n${why}`);
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, work));
    console.log(`${leg.name}: ${good} of ${total}`);
  }
} finally {
  await front.stop();
  await combined.stop();
  await reference.stop();
}
console.log(`expected failures: ${awaited}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
