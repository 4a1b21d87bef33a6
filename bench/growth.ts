// Cost per call with 1 to 10,000 calls in flight, and per kilobyte of a result or request of 1 KB to 100 MB:
// `sh scripts/bench.sh growth`. Writes docs/growth.svg and bench/out/growth.json. A rising curve means quadratic cost.
import { join } from "node:path";
import { call, callMany, withClient } from "./calls.ts";
import type { Client } from "./client.ts";
import type { Endpoint } from "./endpoints.ts";
import { prepareRequest } from "./measures/large.ts";
import { machineName, makeHome, out, places, root, startServer } from "./parts.ts";
import { cpuSeconds } from "./process-facts.ts";
import { median } from "./statistics.ts";
import { findSystems, ours, type System } from "./systems.ts";
import { takeTurns } from "./turns.ts";

type Point = readonly [x: number, y: number];

interface Curve {
  readonly name: string;
  readonly points: readonly Point[];
}

interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
}

const colours = ["#0969da", "#54aeff", "#8c959f", "#afb8c1"];
const manyInFlight = [1, 4, 16, 64, 256, 1024, 4096, 10_000];
const sizes = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
const callsAtLeast = 10_000;
const warmUpCalls = 5000;
const rounds = 3;

const server = await startServer();
const found = findSystems({ ...places, home: makeHome(), ...server });
const compared = found.filter(({ name }) => name === ours || name === "floor");

type Sample = (system: System, x: number) => Promise<number>;

/** A curve for each system; the systems take turns at every point. */
async function curvesOf(label: string, xs: readonly number[], sample: Sample): Promise<Curve[]> {
  const curves = compared.map(({ name }) => ({ name: name + label, points: [] as Point[] }));
  for (const x of xs) {
    const { samples, notes } = await takeTurns(compared, { rounds }, (system) => sample(system, x));
    for (const [name, note] of Object.entries(notes)) throw new Error(`${name}, ${x}: ${note}`);
    for (const [at, found] of [...samples.values()].entries())
      curves[at]!.points.push([x, median(found)]);
    console.error(`${x}${label}: done`);
  }
  return curves;
}

/** Microseconds of CPU time for each call. */
const loadSample: Sample = (system, inFlight) =>
  withClient(system, "json", async (client) => {
    await callMany(client, warmUpCalls, Math.min(inFlight, 64));
    const count = Math.max(callsAtLeast, inFlight);
    const before = cpuSeconds(client.pid!);
    await callMany(client, count, inFlight);
    return ((cpuSeconds(client.pid!) - before) * 1e6) / count;
  });

/** Microseconds per kilobyte: the median of several calls in one process. */
function sizeSample(
  endpoint: Endpoint,
  prepare: (client: Client, bytes: number) => () => Promise<unknown>,
) {
  const sample: Sample = (system, bytes) =>
    withClient(system, endpoint, async (client) => {
      await callMany(client, warmUpCalls, 16);
      const times: number[] = [];
      for (let i = 0; i < (bytes > 1e7 ? 3 : 5); i++) {
        const begin = prepare(client, bytes);
        const from = performance.now();
        await begin();
        times.push((performance.now() - from) * 1000);
      }
      return median(times) / (bytes / 1000);
    });
  return sample;
}

const result = (client: Client, bytes: number) => () => call(client, "text", bytes);
const loads = await curvesOf("", manyInFlight, loadSample);
const whole = await curvesOf(", JSON", sizes, sizeSample("json", result));
const events = await curvesOf(", event", sizes, sizeSample("sse", result));
const results = whole.flatMap((curve, at) => [curve, events[at]!]);
const requests = await curvesOf("", sizes, sizeSample("json", prepareRequest));
await server.stop();

const plots: Plot[] = [
  { title: "CPU time for a call", x: "calls in flight", y: "microseconds", curves: loads },
  { title: "Time for a kilobyte of a result", x: "bytes", y: "microseconds", curves: results },
  { title: "Time for a kilobyte of a request", x: "bytes", y: "microseconds", curves: requests },
];
const machine = machineName();
const date = new Date().toISOString().slice(0, 16).replace("T", " ");
await Bun.write(join(out, "growth.json"), `${JSON.stringify({ date, machine, plots }, null, 2)}\n`);
await Bun.write(join(root, "docs/growth.svg"), drawn());
console.log(JSON.stringify(plots, null, 1));

function drawn(): string {
  const style =
    ".t{font-weight:600;font-size:14px}.t,.n{fill:#24292f}.g{stroke:#d0d7de}.a{fill:#57606a;font-size:11px}" +
    "@media(prefers-color-scheme:dark){.t,.n{fill:#e6edf3}.g{stroke:#30363d}.a{fill:#8b949e}}";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${plots.length * 440} 330" font-family="system-ui,sans-serif" font-size="12">`,
    `<style>${style}</style>`,
    ...plots.map((plot, at) => `<g transform="translate(${at * 440},0)">${panel(plot)}</g>`),
    `<text x="10" y="322" class="a">Both axes logarithmic. ${date}, ${machine}.</text>`,
    "</svg>",
    "",
  ].join("\n");
}

function panel({ title, x, y, curves }: Plot): string {
  const all = curves.flatMap(({ points }) => points);
  const [left, right] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  const low = 10 ** Math.floor(Math.log10(Math.min(...all.map((p) => p[1]))));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...all.map((p) => p[1]))));
  const share = (value: number, from: number, to: number) =>
    Math.log(value / from) / Math.log(to / from);
  const atX = (value: number) => 50 + share(value, left, right) * 360;
  const atY = (value: number) => 260 - share(value, low, high) * 220;
  const parts = [`<text x="10" y="20" class="t">${title}</text>`];
  for (let value = low; value <= high; value *= 10)
    parts.push(
      `<line x1="50" x2="410" y1="${atY(value)}" y2="${atY(value)}" class="g"/>`,
      `<text x="44" y="${atY(value) + 4}" text-anchor="end" class="a">${value}</text>`,
    );
  for (let value = left; value <= right * 1.01; value *= 10)
    parts.push(
      `<text x="${atX(value)}" y="276" text-anchor="middle" class="a">${shortened(value)}</text>`,
    );
  parts.push(
    `<text x="230" y="292" text-anchor="middle" class="a">${x}</text>`,
    `<text x="410" y="20" text-anchor="end" class="a">${y}</text>`,
  );
  curves.forEach(({ name, points }, index) => {
    const line = points.map(([px, py]) => `${atX(px).toFixed(1)},${atY(py).toFixed(1)}`).join(" ");
    const colour = colours[curves.length > 2 ? index : index * 2]!;
    parts.push(
      `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<rect x="${20 + index * 105}" y="300" width="10" height="3" fill="${colour}"/>`,
      `<text x="${33 + index * 105}" y="305" class="a">${name}</text>`,
    );
  });
  return parts.join("");
}

function shortened(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : String(value);
}
