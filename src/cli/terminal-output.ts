import { createConsola } from "consola/core";
import type { Environment } from "../platform/paths.ts";
import { isRich } from "./terminal.ts";

/** Messages to the user, on stderr; results go to stdout. */
export interface TerminalOutput {
  note(line: string): void;
  /** Prints `warning: ` and the line. */
  warn(line: string): void;
  /** Prints `error: ` and the message; then, if there is a hint, `hint: ` and the hint. */
  failure(message: string, hint: string | undefined): void;
}

const colour = (code: number) => `\u001b[${code}m`;
const defaultColour = colour(39);
/** Label and colour of a line, by its consola tag (hint) or its consola type (error, warn). */
const labels: Readonly<Record<string, readonly [label: string, colour: string]>> = {
  error: ["error:", colour(31)],
  warn: ["warning:", colour(33)],
  hint: ["hint:", colour(36)],
};
/** The consola level that prints every line. Without a level, consola reads one from CONSOLA_LEVEL or DEBUG. */
const logLevel = 3;

/** The output of every command except `run`, through consola. */
export function createTerminalOutput(env: Environment): TerminalOutput {
  const isPainted = isRich(env);
  const consola = createConsola({
    level: logLevel,
    // By default consola drops lines that repeat.
    throttle: 0,
    reporters: [
      {
        log({ type, tag, args }) {
          const [label, labelColour] = labels[tag || type] ?? [];
          const shown =
            isPainted && label !== undefined ? labelColour + label + defaultColour : label;
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
