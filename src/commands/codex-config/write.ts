import type { Context } from "../../cli/command.ts";
import { withLock } from "../../platform/lock.ts";
import { BridgeError } from "../../wire/errors.ts";
import { askCodex, canAskCodex, canReadText, findCodex, readInPlace } from "./codex.ts";
import { renderTable, type TomlValue } from "./toml-render.ts";
import { isFolder, readUserFile, replaceUserFile } from "./user-file.ts";

/** An edit of the text of Codex's config.toml. */
export interface Change {
  /** Codex's config.toml. */
  readonly path: string;
  readonly edit: (text: string) => Promise<string>;
  /** The fields that Codex must read from each changed entry afterwards, by server name; empty for a removal. */
  readonly expectedFields: ReadonlyMap<string, Readonly<Record<string, TomlValue>>>;
}

const maxAttempts = 5;

/** Path of the backup that the last change made of the file. */
export function backupOf(path: string): string {
  return `${path}.codex-mcp-http-bridge.bak`;
}

/** The text before and after the change, for `--dry-run`: the file is not written. Throws `configuration`. */
export async function preview({ path, edit }: Change): Promise<{ before: string; after: string }> {
  const before = readUserFile(path)?.text ?? "";
  return { before, after: await edit(before) };
}

/** Makes the change; resolves to false if the file needs none. Throws `configuration` and leaves the file as it was. */
export async function makeChange(change: Change, context: Context): Promise<boolean> {
  const { home } = context.paths();
  // The lock file stands in the bridge's home. Without a home, no other bridge has written the file.
  if (!isFolder(home)) return tryChange(change, context);
  return withLock(home, "codex-config", () => tryChange(change, context));
}

async function tryChange(
  { path, edit, expectedFields }: Change,
  context: Context,
): Promise<boolean> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const before = readUserFile(path);
    const after = await edit(before?.text ?? "");
    if (after === (before?.text ?? "")) return false;
    await checkWithCodex({ path, before: before?.text, after, expectedFields }, context);
    // Codex writes the file, too (trusted folders). If the file has changed since it was read, edit the new text.
    if (replaceUserFile(path, before, after, backupOf(path))) return true;
  }
  throw new BridgeError("configuration", `${path} keeps changing`, {
    hint: "end the Codex that writes it, then try again",
  });
}

interface CheckInput extends Pick<Change, "path" | "expectedFields"> {
  /** Undefined if there is no file yet. */
  readonly before: string | undefined;
  readonly after: string;
}

/**
 * Lets Codex read each new entry in a temporary home, before the file is replaced. Codex gets the whole new text. If Codex
 * cannot read even the old text there, because it names files beside it (model_instructions_file), then Codex reads the old
 * file in place and gets a text of the new entries alone: everything else in the new text is unchanged. Without a Codex on
 * PATH nothing is checked. Throws `configuration`.
 */
async function checkWithCodex(
  { path, before, after, expectedFields }: CheckInput,
  context: Context,
): Promise<void> {
  const codex = findCodex(context.env);
  if (codex === undefined) return;
  let text = after;
  for (const [name, fields] of expectedFields) {
    let reported: unknown;
    try {
      reported = await askCodex(codex, text, name, context);
    } catch (error) {
      if (!(await canAskCodex(codex, context))) {
        context.warn("codex on PATH does not run: the change was not checked with it");
        return;
      }
      const isWholeText = text === after;
      if (!isWholeText || before === undefined || (await canReadText(codex, before, context)))
        throw refusedByCodex(error);
      await readInPlace(codex, context).catch((cause) => {
        throw refusedByCodex(cause, `Codex refuses the present ${path}`);
      });
      text = entriesAlone(expectedFields);
      reported = await askCodex(codex, text, name, context).catch((cause) => {
        throw refusedByCodex(cause);
      });
    }
    requireReported(name, fields, reported);
  }
}

/** A configuration of the new entries and nothing else. */
function entriesAlone(expectedFields: Change["expectedFields"]): string {
  const entries = [...expectedFields];
  return entries.map(([name, fields]) => renderTable(name, { fields, unwanted: [] })).join("");
}

/** Throws `configuration` unless the answer of `codex mcp get` has the fields of the entry. */
function requireReported(
  name: string,
  fields: Readonly<Record<string, TomlValue>>,
  reported: unknown,
): void {
  const { transport } = reported as { transport?: Record<string, unknown> };
  for (const key of ["command", "args", "env_vars", "cwd", "url"]) {
    const field = fields[key];
    if (field === undefined || Bun.deepEquals(transport?.[key], field)) continue;
    // Codex completes a variable that the entry writes as a table.
    if (Array.isArray(field) && field.some((each) => typeof each === "object")) continue;
    throw refusedByCodex(
      new Error(`codex reads another ${key} of "${name}" than the new text has`),
    );
  }
}

function refusedByCodex(
  cause: unknown,
  headline = "Codex refuses the new config.toml",
): BridgeError {
  const why = cause instanceof Error ? cause.message : "";
  return new BridgeError("configuration", `${headline}: ${why}`, {
    hint: "nothing was changed; see codex mcp list",
    cause,
  });
}
