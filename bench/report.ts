// A run as JSON, as a table and as a chart.
import type { Row } from "./context.ts";
import { type Goal, isMet, judge } from "./goals.ts";
import { forgetful, ours } from "./systems.ts";

export interface Run {
  readonly date: string;
  readonly machine: string;
  /** Load average at the start and at the end, which shows how quiet the machine was. */
  readonly load: readonly [number, number];
  readonly isQuick: boolean;
  readonly systems: readonly { readonly name: string; readonly version: string }[];
  readonly rows: readonly Row[];
}

const star = "\\*";

/** Three significant digits, whole above 1000. */
function digits(value: number): string {
  if (value === 0) return "0";
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));
}

/** A star marks a figure of a system that did something wrong. */
function cellOf({ values, notes }: Row, name: string): string {
  const value = values[name] ?? Number.NaN;
  if (Number.isNaN(value)) return notes[name] === undefined ? "" : "fails";
  return digits(value) + (notes[name] === undefined ? "" : star);
}

/** A goal, with the result of the floor: if the floor misses it too, the run time is the limit. */
function goalLine(goal: Goal, floor: Goal): string {
  const met = isMet(goal);
  const bound = `${goal.isFloor ? "at least" : "at most"} ${digits(goal.limit)}`;
  const value = goal.value === undefined ? "-" : digits(goal.value);
  const verdict = met === undefined ? "not measured" : met ? "yes" : "**no**";
  const isItself = goal.text.endsWith("against floor");
  const least = isItself || floor.value === undefined ? "" : digits(floor.value);
  const alike = least !== "" && isMet(floor) === false ? `${least}, misses it` : least;
  return `| ${goal.text} | ${bound} | ${value} | ${verdict} | ${alike} |`;
}

/** Date, machine and systems of a run. */
function originOf({ date, machine, load, systems }: Run): string {
  const versions = systems.map(({ name, version }) => `${name} ${version}`.trim()).join(", ");
  return `${date}, ${machine}, load ${load.join(" to ")}. ${versions}.`;
}

/** Markdown of a whole run: its origin, every row, every goal. */
export function tableOf(run: Run): string {
  const names = run.systems.map(({ name }) => name);
  const notes = new Set<string>();
  const lines = run.rows.map((row) => {
    const cells = names.map((name) => {
      const note = row.notes[name];
      if (note !== undefined) notes.add(`${name}: ${note}`);
      return cellOf(row, name);
    });
    return `| ${row.title} | ${row.unit} | ${cells.join(" | ")} |`;
  });
  const floor = judge(run.rows, "floor");
  return [
    `${run.isQuick ? "A quick run: its figures mean nothing. " : ""}${originOf(run)}`,
    "",
    `| measure | unit | ${names.join(" | ")} |`,
    `|---|---|${names.map(() => "---:|").join("")}`,
    ...lines,
    "",
    ...(notes.size > 0
      ? [`Failures (${star}):`, "", ...[...notes].map((note) => `- ${note}`), ""]
      : []),
    "| goal | bound | this run | met | the floor |",
    "|---|---:|---:|---|---:|",
    ...judge(run.rows).map((goal, i) => goalLine(goal, floor[i]!)),
    "",
  ].join("\n");
}

interface Headline {
  readonly title: string;
  readonly id: string;
  readonly unit: string;
  /** The system whose value is shown for the bridge. */
  readonly ours?: string;
}

const headlines: readonly Headline[] = [
  { title: "start to `initialize`, with a catalog", id: "start-http", unit: "ms" },
  { title: "start to `initialize`, first start", id: "start-http", unit: "ms", ours: forgetful },
  { title: "start to `tools/list`, with a catalog", id: "tools-http", unit: "ms" },
  { title: "start to `tools/list`, first start", id: "tools-http", unit: "ms", ours: forgetful },
  { title: "added to a call, median", id: "added-json-p50", unit: "us" },
  { title: "added to a call, 99 %", id: "added-json-p99", unit: "us" },
  { title: "added to a call over TLS, median", id: "added-tls-p50", unit: "us" },
  { title: "whole call, median", id: "whole-json", unit: "us" },
  { title: "calls a second, 16 in flight", id: "rate-16", unit: "1/s" },
  { title: "CPU time for 10,000 calls", id: "cpu-1", unit: "s" },
  { title: "resident memory, idle", id: "rss-idle", unit: "MB" },
  { title: "private memory, idle", id: "private-idle", unit: "MB" },
  { title: "100,000 notifications", id: "flood-ms", unit: "ms" },
  { title: "10 MB result", id: "result-json-10", unit: "ms" },
];

/** Markdown of the main rows, the bridge first. */
export function headlineOf(run: Run): string {
  const names = run.systems.map(({ name }) => name).filter((name) => name !== forgetful);
  const shown = [ours, ...names.filter((name) => name !== ours && name !== "direct"), "direct"];
  const lines = headlines.flatMap(({ title, id, unit, ours: mine = ours }) => {
    const row = run.rows.find((one) => one.id === id);
    if (row === undefined) return [];
    const cells = shown.map((name) =>
      name === "direct" && id.startsWith("added") ? "" : cellOf(row, name === ours ? mine : name),
    );
    return [`| ${title} | ${unit} | ${cells.join(" | ")} |`];
  });
  return [
    `| | unit | ${shown.join(" | ")} |`,
    `|---|---|${shown.map(() => "---:|").join("")}`,
    ...lines,
    "",
    ...(lines.some((line) => line.includes(star))
      ? [`${star} not all was done, or not well (docs/performance.md).`, ""]
      : []),
    originOf(run),
    "",
  ].join("\n");
}

const compared = "mcp-remote";

/** One sentence with the bridge's main figures, and those of mcp-remote in parentheses. */
export function sentenceOf(run: Run): string {
  const cell = (id: string, system: string) => {
    const row = run.rows.find((one) => one.id === id);
    return row === undefined ? "-" : cellOf(row, system);
  };
  const both = (id: string, unit: string) => `${cell(id, ours)} ${unit} (${cell(id, compared)})`;
  const [day] = run.date.split(" ");
  return (
    `The answer to \`initialize\` comes after ${both("start-http", "ms")}, a call takes ${both("added-json-p50", "us")} longer ` +
    `than without a bridge, an idle bridge holds ${both("private-idle", "MB")}; in parentheses ${compared}, in one run on ${day}\n`
  );
}

/** The failures of the bridge, one line each; a run with any of them has failed. */
export function failuresOf(rows: readonly Row[]): string[] {
  const found = rows.flatMap(({ title, notes }) =>
    [ours, forgetful].flatMap((name) =>
      notes[name] === undefined ? [] : [`${name} failed at ${title}: ${notes[name]}`],
    ),
  );
  return [...new Set(found)];
}

interface Panel {
  readonly title: string;
  readonly id: string;
  readonly unit: string;
}

const panels: readonly Panel[] = [
  { title: "Start to initialize (bridge: with a catalog)", id: "start-http", unit: "ms" },
  { title: "Added to a call, p50", id: "added-json-p50", unit: "us" },
  { title: "Memory, idle", id: "rss-idle", unit: "MB" },
  { title: "CPU for 10,000 calls", id: "cpu-1", unit: "s" },
];

const barHeight = 18;
const panelWidth = 420;

function panelSvg({ title, id, unit }: Panel, run: Run, x: number, y: number): string {
  const row = run.rows.find((one) => one.id === id);
  const bars = run.systems.flatMap(({ name }) => {
    const value = row?.values[name];
    return name !== "direct" && value !== null && value !== undefined ? [{ name, value }] : [];
  });
  const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const drawn = bars.map(({ name, value }, i) => {
    const top = 30 + i * (barHeight + 6);
    const width = Math.max(2, (value / longest) * 210);
    return [
      `<text x="118" y="${top + 13}" text-anchor="end" class="n">${name}</text>`,
      `<rect x="124" y="${top}" width="${width.toFixed(1)}" height="${barHeight}" rx="2" class="${name === ours ? "o" : "p"}"/>`,
      `<text x="${(130 + width).toFixed(1)}" y="${top + 13}" class="v">${digits(value)} ${unit}</text>`,
    ].join("");
  });
  return `<g transform="translate(${x},${y})"><text x="4" y="16" class="t">${title}</text>${drawn.join("")}</g>`;
}

/** Four panels of bars; less is better in each. */
export function chartOf(run: Run): string {
  const count = run.systems.length - 1;
  const panelHeight = 44 + count * (barHeight + 6);
  const height = 2 * panelHeight + 30;
  const drawn = panels.map((panel, i) =>
    panelSvg(panel, run, (i % 2) * panelWidth, Math.floor(i / 2) * panelHeight),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * panelWidth} ${height}" font-family="system-ui,sans-serif" font-size="12">`,
    "<style>.t{font-weight:600;font-size:14px}.t,.n,.v{fill:#24292f}.o{fill:#0969da}.p{fill:#8c959f}.f{fill:#57606a;font-size:11px}@media(prefers-color-scheme:dark){.t,.n,.v{fill:#e6edf3}.f{fill:#8b949e}}</style>",
    ...drawn,
    `<text x="4" y="${height - 8}" class="f">Less is better. ${run.date.slice(0, 10)}, ${run.machine}. "floor" is the least a Bun program can do.</text>`,
    "</svg>",
    "",
  ].join("\n");
}
