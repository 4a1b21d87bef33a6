import { program } from "../wire/program-facts.ts";
import {
  type Arguments,
  type Command,
  type Commands,
  type Entry,
  withGlobalArguments,
  withoutCommandArguments,
} from "./command.ts";

/** Columns of the help text: the usual width of a terminal. */
const width = 80;
/** Columns for an option; the description of a longer option starts on the next line. */
const widestOption = 28;

/** The words of a text as lines of at most `room` characters; a longer word has a line of its own. */
function wrapped(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A row of citty's tables: right-aligned words, four spaces, the description. */
const row = /^ {2,}(\S.*?) {4}(\S.*)$/;

/** Renders a table with left-aligned options and their descriptions in one column. */
function table(lines: readonly string[]): string[] {
  const rows = lines.map((line) => row.exec(line)?.slice(1) ?? []);
  const widths = rows.map(([words = ""]) => words.length).filter((each) => each <= widestOption);
  const column = Math.max(0, ...widths) + 4;
  const indent = " ".repeat(column);
  return rows.flatMap(([words = "", description = ""]) => {
    const [first = "", ...more] = wrapped(description, width - column);
    const isLong = words.length > widestOption;
    const start = isLong ? [`  ${words}`, indent + first] : [`  ${words}`.padEnd(column) + first];
    return [...start, ...more.map((line) => indent + line)];
  });
}

/** The text of a command's `--help` from citty's table of its arguments: plain, left-aligned, within 80 columns. */
async function helpText(command: object, parent?: object): Promise<string> {
  const { renderUsage } = await import("citty");
  // Citty colours its text also where it is piped, and writes every command's name into the usage of the program.
  const usage = Bun.stripANSI(await renderUsage(command, parent)).trimEnd();
  const lines = usage.replace(/(?<=^USAGE .*)\S+\|\S+\|\S+$/m, "COMMAND").split("\n");
  const out: string[] = [];
  let rows: string[] = [];
  for (const line of [...lines.map((each) => each.trimEnd()), ""]) {
    if (row.test(line)) {
      rows.push(line);
      continue;
    }
    out.push(...table(rows), ...wrapped(line, width));
    rows = [];
  }
  return `${out.join("\n").trimEnd()}\n`;
}

/** The help of one command. */
export async function commandHelp(
  name: string,
  { does, usage }: Entry,
  { args: own, helpEnd }: Pick<Command, "args" | "helpEnd">,
): Promise<string> {
  const table: Arguments = withGlobalArguments(own);
  // citty treats a positional argument as required unless the table says otherwise.
  const args = Object.fromEntries(
    Object.entries(table).map(([key, row]) => [key, { required: false, ...row }]),
  );
  const text = await helpText(
    { meta: { name, description: does }, args },
    { meta: { name: program.name } },
  );
  const shown =
    usage === undefined ? text : text.replace(/^(USAGE \S+ \S+).*(?:\n.+)*/m, `$1 ${usage}`);
  return helpEnd === undefined ? shown : `${shown}\n${helpEnd}\n`;
}

/** The other usage of the program, below that with a command. */
const dropInUsage = `
      $1 URL [PORT] [OPTIONS]
        the bridge without configuration, with mcp-remote's options`;

/** The help of the program, with its commands. */
export async function programHelp(commands: Commands): Promise<string> {
  const rows = Object.entries(commands).map(([name, { does }]) => [
    name,
    { meta: { name, description: does } },
  ]);
  const { name, version } = program;
  const description = "Lets Codex, or any MCP client that speaks stdio, use remote MCP servers";
  const text = await helpText({
    meta: { name, version, description },
    args: withoutCommandArguments,
    subCommands: Object.fromEntries(rows),
  });
  return text.replace(/^USAGE (\S+) .*$/m, `$&${dropInUsage}`);
}
