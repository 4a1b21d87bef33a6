import type { Environment } from "../platform/paths.ts";

/** The signs in what the commands print. */
export interface Marks {
  readonly ok: string;
  readonly failed: string;
  readonly arrow: string;
}

const unicode: Marks = { ok: "✓", failed: "✗", arrow: "→" };
const ascii: Marks = { ok: "[ok]", failed: "[failed]", arrow: "->" };

/** Whether the user wants ASCII without colours and cursor movements: NO_COLOR, TERM=dumb, or the locale C. */
export function isPlain({ NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  // The first variable that is set decides (POSIX 8.2). Containers often set none and show UTF-8 all the same.
  const locale = LC_ALL || LC_CTYPE || LANG;
  return Boolean(NO_COLOR) || TERM === "dumb" || locale === "C" || locale === "POSIX";
}

export const marksOf = (env: Environment): Marks => (isPlain(env) ? ascii : unicode);

/** Whether stderr shows colours and cursor movements. */
export const isRich = (env: Environment): boolean =>
  // An import of node:tty would be loaded at every start of `run`.
  !isPlain(env) && process.getBuiltinModule("node:tty").isatty(2);
