import type { Context } from "../../cli/command.ts";
import { withLock } from "../../platform/lock.ts";
import { BridgeError } from "../../wire/errors.ts";
import { askCodex, canAskCodex, findCodex } from "./codex.ts";
import { isFolder, readUserFile, replaceUserFile } from "./user-file.ts";

/** A change of Codex's configuration, as text. */
export interface Change {
  /** Codex's config.toml. */
  readonly path: string;
  readonly edit: (text: string) => Promise<string>;
  /** What each entry must look like to Codex afterwards, by server name. */
  readonly meant: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

const attempts = 5;

/** Where the file stands as it was before the last change. */
export function backupOf(path: string): string {
  return `${path}.codex-mcp-http-bridge.bak`;
}

/** The file as it is and as it would become. Throws `configuration`. */
export async function preview({ path, edit }: Change): Promise<{ before: string; after: string }> {
  const before = readUserFile(path)?.text ?? "";
  return { before, after: await edit(before) };
}

/** Makes a change; false where the file needs none. Throws `configuration`, and then nothing is changed. */
export async function makeChange(change: Change, context: Context): Promise<boolean> {
  const { home } = context.paths();
  // Where the bridge has no home there is nobody to race with.
  if (!isFolder(home)) return tryChange(change, context);
  return withLock(home, "codex-config", () => tryChange(change, context));
}

async function tryChange({ path, edit, meant }: Change, context: Context): Promise<boolean> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const before = readUserFile(path);
    const after = await edit(before?.text ?? "");
    if (after === (before?.text ?? "")) return false;
    await checkWithCodex(after, meant, context);
    // Codex writes the file, too (trusted folders): where it did so meanwhile, its change is kept.
    if (replaceUserFile(path, before, after, backupOf(path))) return true;
  }
  throw new BridgeError("configuration", `${path} keeps changing`, {
    hint: "end the Codex that writes it, then try again",
  });
}

/** Lets the Codex of this machine read the new text, before it is put in place. Throws `configuration`. */
async function checkWithCodex(text: string, meant: Change["meant"], context: Context) {
  const codex = findCodex(context.env);
  if (codex === undefined) return;
  for (const [name, entry] of meant) {
    const is = await askCodex(codex, text, name, context).catch(async (error) => {
      if (await canAskCodex(codex, context)) throw refusedByCodex(error);
      context.warn("codex on PATH does not run: the change was not checked with it");
      return undefined;
    });
    if (is === undefined) return;
    const { transport } = is as { transport?: Record<string, unknown> };
    for (const key of ["command", "args", "env_vars", "cwd", "url"]) {
      if (entry[key] === undefined || Bun.deepEquals(transport?.[key], entry[key])) continue;
      throw refusedByCodex(new Error(`codex reads another ${key} of "${name}" than was meant`));
    }
  }
}

function refusedByCodex(cause: unknown): BridgeError {
  const why = cause instanceof Error ? cause.message : "";
  return new BridgeError("configuration", `Codex refuses the new config.toml: ${why}`, {
    hint: "nothing was changed; see codex mcp list",
    cause,
  });
}
