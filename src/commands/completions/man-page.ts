import { type Arguments, type Commands, globalArguments } from "../../cli/command.ts";
import { program } from "../../wire/program-facts.ts";

/** Exit codes and their meanings; docs/errors.md lists the errors of each. */
const exitCodes = [
  [0, "done"],
  [1, "failed"],
  [2, "wrong usage"],
  [3, "the configuration is missing or invalid"],
  [4, "a sign-in is needed or was refused"],
  [5, "the server cannot be reached"],
  [130, "interrupted"],
] as const;

/** Escapes text for roff: a line is not read as a request, and a hyphen stays a hyphen (groff_man(7)). */
const roff = (text: string) =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");

/** One tagged paragraph for each option and each positional argument. */
function argumentLines(table: Arguments): string[] {
  return Object.entries(table).flatMap(([name, argument]) => {
    const { type, alias, valueHint, options, description } = argument;
    if (type === "positional") return [".TP", `.I ${roff(name.toUpperCase())}`, roff(description)];
    const value = valueHint ?? options?.join("|") ?? name.toUpperCase();
    const flag = [...(alias === undefined ? [] : [`-${alias}`]), `--${name}`].map(roff).join(", ");
    const tag = type === "boolean" ? `.B ${flag}` : `.BI "${flag} " "${roff(value)}"`;
    return [".TP", tag, roff(description)];
  });
}

/** The manual page in roff, made from the same argument tables as --help. */
export async function manPage(commands: Commands): Promise<string> {
  const name = roff(program.name);
  const sections = await Promise.all(
    Object.entries(commands).map(async ([word, { does, load }]) => {
      const { command } = await load();
      return [`.SS ${roff(word)}`, `${roff(does)}.`, ...argumentLines(command.args)];
    }),
  );
  const lines = [
    `.TH ${program.name.toUpperCase()} 1 "" "${program.name} ${program.version}" "User Commands"`,
    ".SH NAME",
    `${name} \\- lets MCP clients that speak stdio use remote MCP servers over HTTPS`,
    ".SH SYNOPSIS",
    `.B ${name}`,
    ".I COMMAND",
    ".RI [ OPTION ...]",
    ".SH COMMANDS",
    ...sections.flat(),
    ".SH OPTIONS OF EVERY COMMAND",
    ...argumentLines(globalArguments),
    ".SH FILES",
    ".TP",
    ".I ~/.codex\\-mcp\\-bridge/config.json",
    "The servers. CODEX_MCP_BRIDGE_HOME names another folder.",
    ".SH EXIT STATUS",
    ...exitCodes.flatMap(([code, meaning]) => [".TP", `.B ${code}`, roff(meaning)]),
    "",
  ];
  return lines.join("\n");
}
