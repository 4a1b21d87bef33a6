import type { Context } from "../../cli/command.ts";
import { withLock } from "../../platform/lock.ts";
import { BridgeError } from "../../wire/errors.ts";
import { askCodex, canAskCodex, findCodex, readInPlace, readsText } from "./codex.ts";
import { renderTable, type TomlValue } from "./toml-render.ts";
import { isFolder, readUserFile, replaceUserFile } from "./user-file.ts";

/** A change of Codex's configuration, as text. */
export interface Change {
  /** Codex's config.toml. */
  readonly path: string;
  readonly edit: (text: string) => Promise<string>;
  /** The fields that Codex must read from each entry afterwards, by server name. */
  readonly meant: ReadonlyMap<string, Readonly<Record<string, TomlValue>>>;
}

const attempts = 5;

/** The path of the backup from before the last change. */
export function backupOf(path: string): string {
  return `${path}.codex-mcp-http-bridge.bak`;
}

/** The text before and after the change, which is not made. Throws `configuration`. */
export async function preview({ path, edit }: Change): Promise<{ before: string; after: string }> {
  const before = readUserFile(path)?.text ?? "";
  return { before, after: await edit(before) };
}

/** Makes a change; false where the file needs none. Throws `configuration`, and then nothing is changed. */
export async function makeChange(change: Change, context: Context): Promise<boolean> {
  const { home } = context.paths();
  // Without a home of the bridge there is no other process to race with.
  if (!isFolder(home)) return tryChange(change, context);
  return withLock(home, "codex-config", () => tryChange(change, context));
}

async function tryChange({ path, edit, meant }: Change, context: Context): Promise<boolean> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const before = readUserFile(path);
    const after = await edit(before?.text ?? "");
    if (after === (before?.text ?? "")) return false;
    await checkWithCodex({ path, before: before?.text, after, meant }, context);
    // Codex writes the file, too (trusted folders). If it did so meanwhile, the edit is made again on its text.
    if (replaceUserFile(path, before, after, backupOf(path))) return true;
  }
  throw new BridgeError("configuration", `${path} keeps changing`, {
    hint: "end the Codex that writes it, then try again",
  });
}

interface Judged extends Pick<Change, "path" | "meant"> {
  readonly before: string | undefined;
  readonly after: string;
}

/** Lets Codex read the new text before the file is replaced. Throws `configuration`. */
async function checkWithCodex({ path, before, after, meant }: Judged, context: Context) {
  const codex = findCodex(context.env);
  if (codex === undefined) return;
  let text = after;
  for (const [name, entry] of meant) {
    let is: unknown;
    try {
      is = await askCodex(codex, text, name, context);
    } catch (error) {
      if (!(await canAskCodex(codex, context))) {
        context.warn("codex on PATH does not run: the change was not checked with it");
        return;
      }
      if (text !== after || before === undefined || (await readsText(codex, before, context)))
        throw refusedByCodex(error);
      // The old text fails in an empty home, too. It may name files beside it (model_instructions_file): Codex reads it where
      // it stands, and the new entries by themselves. Everything else in the new text is unchanged.
      await readInPlace(codex, context).catch((cause) => {
        throw refusedByCodex(cause, `Codex refuses ${path} as it is`);
      });
      text = [...meant]
        .map((each) => renderTable(each[0], { fields: each[1], unwanted: [] }))
        .join("");
      is = await askCodex(codex, text, name, context).catch((cause) => {
        throw refusedByCodex(cause);
      });
    }
    const { transport } = is as { transport?: Record<string, unknown> };
    for (const key of ["command", "args", "env_vars", "cwd", "url"]) {
      if (entry[key] === undefined || Bun.deepEquals(transport?.[key], entry[key])) continue;
      throw refusedByCodex(new Error(`codex reads another ${key} of "${name}" than was meant`));
    }
  }
}

function refusedByCodex(cause: unknown, what = "Codex refuses the new config.toml"): BridgeError {
  const why = cause instanceof Error ? cause.message : "";
  return new BridgeError("configuration", `${what}: ${why}`, {
    hint: "nothing was changed; see codex mcp list",
    cause,
  });
}
