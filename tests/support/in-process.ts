import { readArguments } from "../../src/cli/arguments.ts";
import { type Arguments, type Command, globalArguments } from "../../src/cli/command.ts";
import { command as remove } from "../../src/commands/remove.ts";
import { command as setup } from "../../src/commands/setup/setup.ts";
import { command as status } from "../../src/commands/status.ts";
import { asBridgeError } from "../../src/wire/errors.ts";
import { testContext } from "./context.ts";
import type { Ended } from "./program.ts";

// biome-ignore lint/suspicious/noExplicitAny: commands of every table of arguments
const commands: Record<string, Command<any>> = { setup, status, list: status, remove };

/** Runs a command in this process, so that coverage counts its lines. */
export async function runInProcess(
  [name = "", ...words]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  const context = testContext({ env });
  const command = commands[name];
  if (command === undefined) throw new Error(`no such command here: ${name}`);
  try {
    const table: Arguments = { ...command.args, ...globalArguments };
    const code = (await command.run(readArguments(name, table, words), context)) ?? 0;
    return { code, stdout: context.printed, stderr: context.notes.join("\n") };
  } catch (thrown) {
    const error = asBridgeError(thrown);
    const hint = error.hintText(context.commandLine);
    const lines = [...context.notes, error.message, `hint: ${hint}`];
    return { code: error.exitCode, stdout: context.printed, stderr: lines.join("\n") };
  }
}
