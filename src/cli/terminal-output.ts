import { createConsola } from "consola/core";
import type { Environment } from "../platform/paths.ts";
import { isRich } from "./terminal.ts";

/** What a command says to people beside its result: on stderr, a sentence a line. */
export interface TerminalOutput {
  note(line: string): void;
  /** The line begins with `warning: `. */
  warn(line: string): void;
  /** A line that begins with `error: `, and one that begins with `hint: `. */
  failure(message: string, hint: string | undefined): void;
}

const colour = (code: number) => `\u001b[${code}m`;
const defaultColour = colour(39);
/** The label of a line, and the colour of that on a terminal: by the type that consola gives the line, or by its tag. */
const labels: Readonly<Record<string, readonly [label: string, colour: string]>> = {
  error: ["error:", colour(31)],
  warn: ["warning:", colour(33)],
  hint: ["hint:", colour(36)],
};
/** Consola's level for everything; it would else take one from CONSOLA_LEVEL or DEBUG. */
const everything = 3;

/** The output of every command but `run`, through consola. */
export function createTerminalOutput(env: Environment): TerminalOutput {
  const isPainted = isRich(env);
  const consola = createConsola({
    level: everything,
    // Consola would hold back lines that resemble each other.
    throttle: 0,
    reporters: [
      {
        log({ type, tag, args }) {
          const [label, itsColour] = labels[tag || type] ?? [];
          const shown =
            isPainted && label !== undefined ? itsColour + label + defaultColour : label;
          // Not console.error, which Bun paints red on every terminal.
          console.warn([shown, ...args].filter((part) => part !== undefined).join(" "));
        },
      },
    ],
  });
  const hints = consola.withTag("hint");
  return {
    note: (line) => consola.log(line),
    warn: (line) => consola.warn(line),
    failure(message, hint) {
      consola.error(message);
      if (hint !== undefined) hints.log(hint);
    },
  };
}
