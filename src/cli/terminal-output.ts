import { isatty } from "node:tty";
import { createConsola } from "consola/core";
import type { Environment } from "../platform/paths.ts";

/** What a command says to people beside its result: on stderr, a sentence a line. */
export interface TerminalOutput {
  note(line: string): void;
  /** The line begins with `warning: `. */
  warn(line: string): void;
}

const yellow = "\u001b[33m";
const reset = "\u001b[39m";
/** Everything that is not an error; consola would else take its level from CONSOLA_LEVEL or DEBUG. */
const level = 3;

/** Speech through consola; never loaded by `run`. A warning is yellow on a terminal, unless NO_COLOR is set. */
export function createTerminalOutput(env: Environment): TerminalOutput {
  const hasColour = (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb" && isatty(2);
  const said = hasColour ? `${yellow}warning:${reset}` : "warning:";
  const consola = createConsola({
    level,
    // Consola would hold back lines that resemble each other.
    throttle: 0,
    reporters: [
      {
        // Bun paints console.error red on a terminal.
        log: ({ type, args }) =>
          console.warn(type === "warn" ? `${said} ${args.join(" ")}` : args.join(" ")),
      },
    ],
  });
  return { note: (line) => consola.log(line), warn: (line) => consola.warn(line) };
}
