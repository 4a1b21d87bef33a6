import { isWord } from "../wire/text.ts";
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

/**
 * Opens the log file for appending. In a folder that others may write, another user may have created something at this
 * path: symlinks are not followed, a pipe without a reader does not block, and a file of another user is refused. A
 * device such as /dev/null keeps its mode; an existing file of ours becomes 0600. Throws Error with the reason.
 */
function openToAppend(path: string): { readonly fd: number; readonly sizeBytes: number } {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs().constants;
  const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const fd = fs().openSync(path, flags, 0o600);
  try {
    const stats = fs().fstatSync(fd);
    const own = process.getuid?.();
    if (!stats.isFile() && !stats.isCharacterDevice()) throw new Error("it is no regular file");
    if (own !== undefined && stats.uid !== own && stats.uid !== 0)
      throw new Error("it belongs to another user");
    // Another user may have created a hard link to another file of this user.
    if (stats.isFile() && stats.nlink > 1) throw new Error("it is linked under another name");
    if (stats.isFile() && stats.uid === own && (stats.mode & 0o077) !== 0) makePrivate(fd);
    return { fd, sizeBytes: stats.size };
  } catch (error) {
    fs().closeSync(fd);
    throw error;
  }
}

function makePrivate(fd: number): void {
  try {
    fs().fchmodSync(fd, 0o600);
  } catch {
    // The file system does not support modes: log anyway.
  }
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

/** The reason why the log file cannot be written, for the warning. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  // open(2): O_NOFOLLOW gives ELOOP for a symlink, O_NONBLOCK gives ENXIO for a pipe without a reader.
  if (code === "ELOOP") return "it is a symlink";
  if (code === "ENXIO") return "it is no regular file";
  return code ?? message;
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
      console.warn(`cannot write the log file ${options.file}: ${reasonOf(error)}`);
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
