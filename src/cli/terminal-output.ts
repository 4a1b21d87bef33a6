import { createConsola } from "consola/core";
import type { Environment } from "../platform/paths.ts";
import { isRich } from "./terminal.ts";

/** Lines for people, on stderr; results go to stdout. */
export interface TerminalOutput {
  note(line: string): void;
  /** The line begins with `warning: `. */
  warn(line: string): void;
  /** A line that begins with `error: `, and one that begins with `hint: `. */
  failure(message: string, hint: string | undefined): void;
}

const colour = (code: number) => `\u001b[${code}m`;
const defaultColour = colour(39);
/** Labels and their colours, by the tag of a line or by its type. */
const labels: Readonly<Record<string, readonly [label: string, colour: string]>> = {
  error: ["error:", colour(31)],
  warn: ["warning:", colour(33)],
  hint: ["hint:", colour(36)],
};
/** Consola's level that shows everything. Set, because consola would take a level from CONSOLA_LEVEL or DEBUG. */
const everything = 3;

/** The output of every command but `run`, through consola. */
export function createTerminalOutput(env: Environment): TerminalOutput {
  const isPainted = isRich(env);
  const consola = createConsola({
    level: everything,
    // By default consola drops lines that repeat.
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
