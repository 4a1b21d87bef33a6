import { isWord } from "../wire/text.ts";
import { appendProblem, openToAppend } from "./append-file.ts";
import { fs } from "./fs.ts";
import type { Redactor } from "./redact.ts";

export const levels = ["error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof levels)[number];
export type LogFormat = "text" | "json";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The log. Code below the commands reports through it and never prints. */
export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  trace(event: string, fields?: LogFields): void;
  /** Writes a line for the user only if stderr is a terminal, so that no program or model reads the line. */
  toTerminal(event: string, fields?: LogFields): void;
  /** Whether lines of this level are written; lets callers skip work that only the log needs. */
  writes(level: LogLevel): boolean;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Absolute path of the log file, written in addition to stderr. Mode 0600, one rotation at 10 MB. */
  readonly file?: string;
  readonly redactor: Redactor;
  /** The run id, which ends every line: several runs may write one file. */
  readonly run?: string;
}

const rotateAtBytes = 10 * 1024 * 1024;

/** The log level named by a word, ignoring case; `warning` means `warn`. Undefined for an unknown level. */
export function parseLevel(word: string): LogLevel | undefined {
  const lower = word.toLowerCase();
  return lower === "warning" ? "warn" : levels.find((level) => level === lower);
}

/** Formats one line, redacted and without line end: `TIME LEVEL event key=value ...`, or a JSON object. */
function formatLine(
  { format, redactor, run }: LogOptions,
  time: string,
  level: LogLevel,
  event: string,
  fields: LogFields,
) {
  // Redact before quoting: a replacement inside quoted JSON would break it.
  const safe = (value: LogFields[string]) =>
    typeof value === "string" ? redactor.shown(value) : value;
  const clean = Object.entries(fields).map(([key, value]) => [key, safe(value)] as const);
  if (run !== undefined) clean.push(["run", run]);
  if (format === "json")
    return JSON.stringify({ time, level, event, ...Object.fromEntries(clean) });
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${event}`;
  for (const [key, value] of clean) {
    if (value === undefined) continue;
    const text = String(value);
    const isBare = text !== "" && (isWord(text) || !/[\s"=]/.test(text));
    line += ` ${key}=${isBare ? text : JSON.stringify(text)}`;
  }
  return line;
}

function appendTo(path: string, line: string): void {
  let { fd, sizeBytes } = openToAppend(path);
  try {
    if (sizeBytes > rotateAtBytes) {
      fs().renameSync(path, `${path}.1`);
      fs().closeSync(fd);
      fd = openToAppend(path).fd;
    }
    fs().appendFileSync(fd, line);
  } finally {
    fs().closeSync(fd);
  }
}

/** Creates a log that writes redacted lines to stderr and, if configured, to a file. */
export function createLog(options: LogOptions): Log {
  const threshold = levels.indexOf(options.level);
  let fileBroken = false;
  const write = (level: LogLevel, event: string, fields: LogFields = {}) => {
    if (levels.indexOf(level) > threshold) return;
    const line = formatLine(options, new Date().toISOString(), level, event, fields);
    // On a terminal Bun colours console.error red; console.warn writes to stderr without colour.
    console.warn(line);
    if (options.file === undefined || fileBroken) return;
    try {
      appendTo(options.file, `${line}\n`);
    } catch (error) {
      // A full disk must not stop the bridge: warn once, then write to stderr only.
      fileBroken = true;
      console.warn(`cannot write the log file ${options.file}: ${appendProblem(error)}`);
    }
  };
  return {
    error: (event, fields) => write("error", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    info: (event, fields) => write("info", event, fields),
    debug: (event, fields) => write("debug", event, fields),
    trace: (event, fields) => write("trace", event, fields),
    toTerminal(event, fields = {}) {
      if (!process.getBuiltinModule("node:tty").isatty(2)) return;
      console.warn(formatLine(options, new Date().toISOString(), "info", event, fields));
    },
    writes: (level) => levels.indexOf(level) <= threshold,
  };
}
