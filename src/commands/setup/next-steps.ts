import type { Context } from "../../cli/command.ts";
import { commandLine } from "../../cli/command-line.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { hasCredential } from "./edit.ts";

/** The commands that lead from a saved server to tools in Codex, by what they do. */
export interface Steps {
  /** Where the server wants a sign-in. */
  readonly login?: string;
  readonly test: string;
  readonly codex: string;
}

export function stepsFor(name: string, entry: ServerEntry, context: Context): Steps {
  const signsIn = entry.auth?.type === "oauth" || !hasCredential(entry);
  return {
    ...(signsIn && { login: commandLine(`login --server ${name}`, context) }),
    test: commandLine(`test --server ${name}`, context),
    codex: commandLine(`codex-config --server ${name} --write`, context),
  };
}
