import { cleanText } from "../../wire/text.ts";

/** One line of a log file. */
export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly level: "error" | "warn" | "info" | "debug" | "trace";
  readonly event: string;
  /** Values by key, without control characters. */
  readonly fields: Readonly<Record<string, string>>;
}

const levels = ["error", "warn", "info", "debug", "trace"];
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const textLine = /^(\S+) (ERROR|WARN|INFO|DEBUG|TRACE) +(.*)$/;
const field = / ([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|[^\s"]*)/g;
const maxValueLength = 500;

/** The log writes no objects: an object, which may be nested without end, is not shown. */
const clean = (value: unknown) =>
  cleanText(typeof value === "object" ? "..." : String(value), maxValueLength);

/** Reads a line of either format; undefined for any other text. Log files may hold anything: every value is cleaned. */
export function readLogLine(text: string): LogLine | undefined {
  return text.startsWith("{") ? ofJson(text) : ofText(text);
}

function ofJson(text: string): LogLine | undefined {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { time, level, event, ...rest } = values as Record<string, unknown>;
  if (!isInstant(time) || typeof event !== "string" || !isLevel(level)) return undefined;
  const fields = Object.entries(rest).map(([key, value]) => [clean(key), clean(value)] as const);
  return { time, level, event: clean(event), fields: Object.fromEntries(fields) };
}

function ofText(text: string): LogLine | undefined {
  const [, time, word = "", rest = ""] = textLine.exec(text) ?? [];
  const level = word.toLowerCase();
  if (!isInstant(time) || !isLevel(level)) return undefined;
  const found = [...rest.matchAll(field)];
  const fields = found.map(([, key, value = ""]) => [key!, clean(unquoted(value))] as const);
  const event = clean(rest.slice(0, found[0]?.index));
  return { time, level, event, fields: Object.fromEntries(fields) };
}

const isInstant = (time: unknown): time is string =>
  typeof time === "string" && instant.test(time) && !Number.isNaN(Date.parse(time));

const isLevel = (level: unknown): level is LogLine["level"] => levels.includes(level as string);

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * The lines of the last run that served `server`: the run whose first line comes last. A line that names another server
 * belongs to a combined run or a shared file, and is left out. Lines without a run id, as older versions wrote them, are one run.
 */
export function lastRun(lines: readonly LogLine[], server: string): readonly LogLine[] {
  const runs = new Map<string, LogLine[]>();
  for (const line of lines) {
    const { run = "" } = line.fields;
    const known = runs.get(run);
    if (known === undefined) runs.set(run, [line]);
    else known.push(line);
  }
  const namesServer = (run: readonly LogLine[]) =>
    run.some(({ fields }) => fields["server"] === server);
  const namesAnother = (run: readonly LogLine[]) =>
    run.some(({ fields }) => fields["server"] !== undefined);
  const found = [...runs.values()].findLast((run) => namesServer(run) || !namesAnother(run)) ?? [];
  return found.filter((line) => concerns(line, server));
}

/** Whether a line names this server or none. */
export function concerns({ fields }: LogLine, server: string): boolean {
  return fields["server"] === undefined || fields["server"] === server;
}
