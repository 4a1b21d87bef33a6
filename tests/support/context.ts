import type { Context } from "../../src/cli/command.ts";
import { marksOf } from "../../src/cli/terminal.ts";
import { type Environment, homeOf } from "../../src/platform/paths.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";
import { memoryLog } from "./client.ts";
import { programWords } from "./program.ts";

/** The context of a command, with output that a test can read. */
export interface TestContext extends Context {
  readonly printed: string;
  readonly notes: readonly string[];
}

export function testContext({
  env = {},
  self = programWords,
}: {
  env?: Environment;
  self?: readonly string[];
} = {}): TestContext {
  const notes: string[] = [];
  let printed = "";
  return {
    commands: {},
    env,
    self,
    log: { ...memoryLog(), writes: () => false },
    redactor: new Redactor(),
    paths: () => homeOf(env),
    marks: marksOf(env),
    configPath: undefined,
    commandLine: commandLineFor(undefined),
    print: async (text) => {
      printed += text;
      return true;
    },
    note: (line) => void notes.push(line),
    warn: (line) => void notes.push(`warning: ${line}`),
    get printed() {
      return printed;
    },
    notes,
  };
}
