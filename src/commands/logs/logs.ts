import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Context, defineCommand } from "../../cli/command.ts";
import { findServer } from "../../config/ad-hoc.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { cacheFile } from "../../platform/paths.ts";
import { rememberedLogFile, ServerCache } from "../../platform/server-cache.ts";
import { BridgeError } from "../../wire/errors.ts";
import { concerns, type LogLine, lastRun, readLogLine } from "./log-lines.ts";
import { sentenceOf } from "./sentences.ts";

/** A log file is rotated at 10 MB; of a larger one the end is read. */
const maxReadBytes = 16 * 1024 * 1024;
const followEveryMs = 300;

export const command = defineCommand({
  args: {
    name: {
      type: "positional",
      required: false,
      description: "the server's name; default: the only configured server",
    },
    follow: { type: "boolean", alias: "f", description: "go on with what is written from now on" },
    "log-file": {
      type: "string",
      valueHint: "PATH",
      description: "the log file; default: the one that the last run of the server wrote",
    },
  },
  async run({ name, follow, "log-file": given }, context) {
    const server = await findServer(context.paths(), name);
    const path = given === undefined ? logFileOf(server, context) : resolve(given);
    const file = new FollowedFile(path);
    // The run may have begun before the file was renamed.
    const before = existsSync(`${path}.1`) ? await new FollowedFile(`${path}.1`).more() : "";
    const text = before + (await file.more());
    if (!(await show(server.name, path, text, context))) return 0;
    while (follow) {
      await Bun.sleep(followEveryMs);
      const lines = linesOf(await file.more()).filter((line) => concerns(line, server.name));
      const shown = lines.filter((line) => isShown(line, context)).map(lineOf);
      if (shown.length > 0 && !(await context.print(`${shown.join("\n")}\n`))) return 0;
    }
    return 0;
  },
});

/** The log file of the server's last run that wrote one. Throws `configuration`. */
function logFileOf({ name, state, url, adHoc }: ServerSettings, { log }: Context): string {
  const cache = new ServerCache(cacheFile(state), url, log);
  const usual = join(state.root, "logs", `${name}.log`);
  const path = rememberedLogFile(cache) ?? (existsSync(usual) ? usual : undefined);
  if (path !== undefined) return path;
  throw new BridgeError("configuration", `no run of "${name}" has written a log file`, {
    hint: (command) =>
      adHoc === undefined
        ? `run ${command(`codex-config --server ${name} --write --log-file ${usual}`)}`
        : `add --log-file ${usual} to the arguments of the client's entry`,
  });
}

/** Prints the last run in the text of a log; false if the reader has closed the pipe. */
async function show(name: string, path: string, text: string, context: Context): Promise<boolean> {
  const run = lastRun(linesOf(text), name);
  const [first] = run;
  if (first === undefined)
    throw new BridgeError("configuration", `${path} tells of no run of "${name}"`, {
      hint: "start the client, or name another file with --log-file",
    });
  const id = first.fields["run"];
  const head = `Last run of "${name}"${id === undefined ? "" : ` (${id})`}, first line at ${first.time}, in ${path}`;
  const lines = counted(run.filter((line) => isShown(line, context)));
  const isOpen = !run.some(({ event }) => event === "closed" || event === "start refused");
  const end = isOpen ? ["It has not ended, or it was killed."] : [];
  return context.print(`${[head, "", ...lines, ...end].join("\n")}\n`);
}

/** Lines of debug and trace are shown if `--log-level` asks for them. */
const isShown = ({ level }: LogLine, { log }: Context) =>
  (level !== "debug" && level !== "trace") || log.writes(level);

const linesOf = (text: string) =>
  text.split("\n").flatMap((line) => {
    const read = readLogLine(line);
    return read === undefined ? [] : [read];
  });

const clockOf = ({ time }: LogLine) => time.slice(11, 19);
const marks: Readonly<Record<string, string>> = { error: "error: ", warn: "warning: " };
const lineOf = (line: LogLine) => `${clockOf(line)}  ${marks[line.level] ?? ""}${sentenceOf(line)}`;

/** The counts that the log writes. The file may hold any other number, such as 1e400. */
const countPattern = /^[1-9]\d{0,8}$/;

/** One line for each different sentence, where it came first, with the number of times and the time of the last. */
function counted(lines: readonly LogLine[]): string[] {
  const groups = new Map<string, { first: LogLine; last: LogLine; count: number }>();
  for (const line of lines) {
    const key = `${line.level} ${sentenceOf(line)}`;
    const { count: written = "" } = line.fields;
    const count = countPattern.test(written) ? Number(written) : 1;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: line, last: line, count });
    else Object.assign(group, { last: line, count: group.count + count });
  }
  return [...groups.values()].map(({ first, last, count }) =>
    count === 1 ? lineOf(first) : `${lineOf(first)} (${count} times, until ${clockOf(last)})`,
  );
}

/** A log file that others append to, and rename to begin it anew. */
class FollowedFile {
  readonly #path: string;
  #inode = 0;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The whole lines since the last call. Throws `configuration` if the file cannot be read. */
  async more(): Promise<string> {
    const file = Bun.file(this.#path);
    try {
      const { ino, size } = await file.stat();
      if (ino !== this.#inode || size < this.#offset) this.#offset = 0;
      this.#inode = ino;
      if (size === this.#offset) return "";
      const from = Math.max(this.#offset, size - maxReadBytes);
      const bytes = await file.slice(from, size).bytes();
      const lines = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
      this.#offset = from + lines.length;
      return new TextDecoder().decode(lines);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // While a run renames the file, there is none.
      if (code === "ENOENT" && this.#inode !== 0) return "";
      throw new BridgeError("configuration", `cannot read the log file ${this.#path} (${code})`, {
        hint: "name another file with --log-file",
        cause: error,
      });
    }
  }
}
