import type { Stats } from "node:fs";
import { isWord } from "../wire/text.ts";
import { fs } from "./fs.ts";
import type { Redactor } from "./redact.ts";

export const levels = ["error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof levels)[number];
export type LogFormat = "text" | "json";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where workers report what happened; they never print. */
export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  trace(event: string, fields?: LogFields): void;
  /** Whether lines of this level are written: guards work done only for the log. */
  writes(level: LogLevel): boolean;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Absolute path; lines go there as well as to stderr. 0600, one rotation at 10 MB. */
  readonly file?: string;
  readonly redactor: Redactor;
}

const rotateAtBytes = 10 * 1024 * 1024;

/** The level a word names, in any case; `warning` is `warn`. Undefined for any other word. */
export function parseLevel(word: string): LogLevel | undefined {
  const lower = word.toLowerCase();
  return lower === "warning" ? "warn" : levels.find((level) => level === lower);
}

/** One log line without its line end and without a secret: `TIME LEVEL event key=value ...`, or a JSON object. */
function formatLine(
  { format, redactor }: LogOptions,
  time: string,
  level: LogLevel,
  event: string,
  fields: LogFields,
) {
  // Before anything is quoted: quoted JSON would break.
  const safe = (value: LogFields[string]) =>
    typeof value === "string" ? redactor.shown(value) : value;
  const clean = Object.entries(fields).map(([key, value]) => [key, safe(value)] as const);
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

/** Closes a file that was there before us to others; a device such as /dev/null stays what it is. */
function makePrivate(fd: number, stats: Stats): void {
  if (!stats.isFile() || stats.uid !== process.getuid?.() || (stats.mode & 0o077) === 0) return;
  try {
    fs().fchmodSync(fd, 0o600);
  } catch {
    // A file system without modes is no reason to write no log.
  }
}

function appendTo(path: string, line: string): void {
  const fd = fs().openSync(path, "a", 0o600);
  const stats = fs().fstatSync(fd);
  makePrivate(fd, stats);
  fs().closeSync(fd);
  if (stats.size > rotateAtBytes) fs().renameSync(path, `${path}.1`);
  fs().appendFileSync(path, line, { mode: 0o600 });
}

/** A log that writes to stderr (and a file), every line through the redaction. */
export function createLog(options: LogOptions): Log {
  const threshold = levels.indexOf(options.level);
  let fileBroken = false;
  const write = (level: LogLevel, event: string, fields: LogFields = {}) => {
    if (levels.indexOf(level) > threshold) return;
    const line = formatLine(options, new Date().toISOString(), level, event, fields);
    // Bun paints console.error red on a terminal, and this the same stream without paint.
    console.warn(line);
    if (options.file === undefined || fileBroken) return;
    try {
      appendTo(options.file, `${line}\n`);
    } catch (error) {
      // A full disk must not end the bridge: said once, then stderr alone goes on.
      fileBroken = true;
      console.warn(`cannot write the log file: ${error instanceof Error ? error.message : error}`);
    }
  };
  return {
    error: (event, fields) => write("error", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    info: (event, fields) => write("info", event, fields),
    debug: (event, fields) => write("debug", event, fields),
    trace: (event, fields) => write("trace", event, fields),
    writes: (level) => levels.indexOf(level) <= threshold,
  };
}
