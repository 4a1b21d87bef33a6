import { BridgeError } from "../../wire/errors.ts";
import { Message, readMessage } from "../../wire/message.ts";
import { find } from "../../wire/spans.ts";
import { cleanText } from "../../wire/text.ts";

/** One message of a record. */
export interface RecordedMessage {
  readonly isFromClient: boolean;
  readonly message: Message;
}

/** The record of one run: the messages between client and bridge, in their order. */
export interface RecordedRun {
  readonly id: string;
  /** When the run began, ISO 8601. */
  readonly time: string;
  readonly messages: readonly RecordedMessage[];
  /** Whether the record reached its largest size, so that later messages are missing. */
  readonly isFull: boolean;
}

const formatVersion = 1;
const maxFileBytes = 1024 * 1024 * 1024;
const encoder = new TextEncoder();

interface Line {
  readonly run?: unknown;
  readonly record?: unknown;
  readonly time?: unknown;
  readonly from?: unknown;
  readonly to?: unknown;
  readonly message?: unknown;
  readonly full?: unknown;
}

interface Growing extends RecordedRun {
  readonly messages: RecordedMessage[];
  isFull: boolean;
}

/**
 * Reads the runs in a record, oldest first. A damaged line, and a run whose beginning such a line held, is left out with a
 * warning: a killed run leaves half a line, to which another run that shares the file has joined its next line. Throws
 * `configuration` with the file and the line that is at fault.
 */
export async function readRecord(
  path: string,
  warn: (line: string) => void,
): Promise<readonly RecordedRun[]> {
  const runs = new Map<string, Growing>();
  let number = 0;
  /** Numbers of the lines that are left out. */
  const leftOut: number[] = [];
  for (const text of (await textOf(path)).split("\n")) {
    number++;
    if (text.trim() === "") continue;
    const line = parsed(text);
    if (line === undefined) {
      leftOut.push(number);
      continue;
    }
    const { run, record, time, from, to, full } = line;
    if (typeof run !== "string") throw lineError(path, number, noRecord);
    if (record !== undefined) {
      if (record !== formatVersion) throw versionError(path, number);
      if (runs.has(run)) throw lineError(path, number, "a run begins twice");
      // Both are shown on a terminal, and anybody may have written the record.
      const shown = {
        id: cleanText(run, 64),
        time: typeof time === "string" ? cleanText(time, 64) : "an unknown time",
      };
      runs.set(run, { ...shown, messages: [], isFull: false });
    }
    const known = runs.get(run);
    if (known === undefined) {
      if (leftOut.length === 0)
        throw lineError(path, number, "the beginning of its run is missing");
      leftOut.push(number);
      continue;
    }
    if (full === true) known.isFull = true;
    const message = from === "client" || to === "client" ? messageIn(text) : undefined;
    if (message !== undefined) known.messages.push({ isFromClient: from === "client", message });
  }
  if (runs.size === 0) throw lineError(path, 1, noRecord);
  if (leftOut.length > 0) {
    const lines = leftOut.length === 1 ? "a damaged line is" : `${leftOut.length} lines are`;
    warn(`${path}, line ${leftOut[0]}: ${lines} left out`);
  }
  return [...runs.values()];
}

async function textOf(path: string): Promise<string> {
  const file = Bun.file(path);
  try {
    const stats = await file.stat();
    // A device such as /dev/zero would be read without end.
    if (stats.isCharacterDevice() || stats.isBlockDevice()) throw lineError(path, 1, noRecord);
    if (stats.size <= maxFileBytes) return await file.text();
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new BridgeError("configuration", `cannot read the record ${path} (${code})`, {
      hint: "name the file that was given to run --record",
      cause: error,
    });
  }
  throw new BridgeError("configuration", `${path} is larger than ${maxFileBytes} bytes`, {
    hint: "a record of one run has 100 MB at most",
  });
}

/** A line as an object; undefined for a blank line and for one that is no JSON object. */
function parsed(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === "object" && line !== null ? line : undefined;
  } catch {
    return undefined;
  }
}

/** The message of a line, with its numbers as they were written; undefined for text that is no message. */
function messageIn(line: string): Message | undefined {
  const bytes = encoder.encode(line);
  const span = find(bytes, ["message"]);
  const message = span && readMessage(bytes.slice(span.start, span.end));
  return message instanceof Message ? message : undefined;
}

const noRecord = "this is no record of run";

function lineError(path: string, line: number, problem: string): BridgeError {
  return new BridgeError("configuration", `${path}, line ${line}: ${problem}`, {
    hint: "name the file that was given to run --record",
  });
}

function versionError(path: string, line: number): BridgeError {
  return new BridgeError(
    "configuration",
    `${path}, line ${line}: another version of the bridge wrote this run`,
    { hint: "replay it with that version" },
  );
}
