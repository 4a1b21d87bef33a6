import type { Environment } from "../platform/paths.ts";

/** Marks in the output of commands. */
export interface Marks {
  readonly ok: string;
  readonly failed: string;
  readonly arrow: string;
}

const unicode: Marks = { ok: "✓", failed: "✗", arrow: "→" };
const ascii: Marks = { ok: "[ok]", failed: "[failed]", arrow: "->" };

/** Whether the user wants ASCII without colours and cursor movements: NO_COLOR, TERM=dumb, or the locale C. */
export function isPlain({ NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  // The first non-empty variable decides (POSIX 8.2). Without any of them, as in many containers, UTF-8 is assumed.
  const locale = LC_ALL || LC_CTYPE || LANG;
  return Boolean(NO_COLOR) || TERM === "dumb" || locale === "C" || locale === "POSIX";
}

export const marksOf = (env: Environment): Marks => (isPlain(env) ? ascii : unicode);

/** Whether colours and cursor movements may be written to stderr. */
export const isRich = (env: Environment): boolean =>
  // Not an import, which every start of `run` would load.
  !isPlain(env) && process.getBuiltinModule("node:tty").isatty(2);
