import type { Context } from "../../cli/command.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { hasCredential } from "./edit.ts";

/** The commands to run after a server is saved, until Codex has its tools. */
export interface Steps {
  /** Only if the server uses OAuth. */
  readonly login?: string;
  readonly test: string;
  readonly codex: string;
}

export function stepsFor(name: string, entry: ServerEntry, context: Context): Steps {
  const signsIn = entry.auth?.type === "oauth" || !hasCredential(entry);
  return {
    ...(signsIn && { login: context.commandLine(`login --server ${name}`) }),
    test: context.commandLine(`test --server ${name}`),
    codex: context.commandLine(`codex-config --server ${name} --write`),
  };
}
