import type { ServerEntry } from "../host/config-schema.ts";
import type { Context } from "./command.ts";
import { commandLine } from "./command-line.ts";
import { hasCredential } from "./setup-change.ts";

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
