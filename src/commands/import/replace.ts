import type { Context } from "../../cli/command.ts";
import { readValue } from "../../config/clients/document.ts";
import { parseConfig, readConfig } from "../../config/load.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { type EntryChange, valueAt, writeEntries } from "../client-config/entry.ts";
import { clientStart } from "../client-config/start.ts";
import { changeClientFile } from "../client-config/write.ts";
import { stdioEntry } from "../codex-config/entry.ts";
import { launchOf } from "../codex-config/launch.ts";
import { mergeEntry } from "../codex-config/merge.ts";
import type { Wanted } from "../codex-config/toml-render.ts";
import { requireWritable } from "../codex-config/user-file.ts";
import { backupOf } from "../codex-config/write.ts";
import type { JournalWriter } from "./journal.ts";
import type { Row } from "./plan.ts";
import type { Source } from "./sources.ts";

/** The rows whose entries can be rewritten, by file: importable rows in a file of a known client. */
export function replaceable(rows: readonly Row[]): Map<Source, Row[]> {
  return Map.groupBy(
    rows.filter(({ source, status }) => source.client !== undefined && status !== "refused"),
    ({ source }) => source,
  );
}

/** The text of a client's file with its entries rewritten to start this bridge. Throws `configuration`. */
async function rewritten(
  text: string,
  rows: readonly Row[],
  servers: ReadonlyMap<string, ServerSettings>,
  executable: string | undefined,
  context: Context,
): Promise<string> {
  await requireUnchanged(text, rows);
  let after = text;
  const changes: EntryChange[] = [];
  for (const row of rows) {
    const { source, entry, draft, name } = row;
    const server = servers.get(name);
    const { client } = source;
    if (server === undefined || client === undefined) continue;
    if (client.format === "toml") {
      if (entry.path.length !== 2) throw inProfile(entry.name, source.path);
      const launch = launchOf(executable, false, context);
      after = await mergeEntry(after, entry.name, codexEntry(stdioEntry(server, launch), row));
      continue;
    }
    const start = clientStart([server], client, executable, context);
    changes.push({ path: entry.path, name: entry.name, start, drop: draft.used });
  }
  const { client, path = "" } = rows[0]?.source ?? {};
  return client === undefined ? after : writeEntries(after, client, changes, path);
}

/** Throws `configuration` if the text has another entry in the place of a row's than when the plan was made. */
async function requireUnchanged(text: string, rows: readonly Row[]): Promise<void> {
  const [first] = rows;
  if (first === undefined || text === first.source.text) return;
  const { client, path } = first.source;
  const value = await readValue(text, client?.format ?? "json", path);
  const changed = rows.find(
    ({ entry }) => !Bun.deepEquals(valueAt(value, entry.path), entry.value, true),
  );
  if (changed === undefined) return;
  throw new BridgeError("configuration", `${path} has changed since it was read`, {
    hint: `"${cleanText(changed.entry.name, 80)}" is another entry now: import again`,
  });
}

/** Codex's entry; without `env` if config.json now holds the values of all its variables. */
function codexEntry(wanted: Wanted, { entry, draft }: Row): Wanted {
  // The timeouts of the entry stay: they belong to the client.
  const kept = ["startup_timeout_sec", "tool_timeout_sec"].filter((key) =>
    Object.hasOwn(entry.value, key),
  );
  const pairs = Object.entries(wanted.fields).filter(([key]) => !kept.includes(key));
  const names = Object.keys(entry.env);
  if (names.length === 0 || names.some((name) => !draft.used.has(name)))
    return { ...wanted, fields: Object.fromEntries(pairs) };
  const fields = Object.fromEntries(pairs.filter(([key]) => key !== "env"));
  return { ...wanted, fields, unwanted: [...wanted.unwanted, "env"] };
}

function inProfile(name: string, path: string): BridgeError {
  return new BridgeError(
    "configuration",
    `the server "${cleanText(name, 80)}" is in a profile in ${path}, where --replace does not write`,
    {
      hint: "edit that entry by hand, or select the other servers",
    },
  );
}

/** A file's text before and after the change. */
export interface Preview {
  readonly source: Source;
  readonly rows: readonly Row[];
  readonly after: string;
}

/** Each file's change, as if the new servers were already saved. Throws `configuration`. */
export async function previewEntries(
  files: ReadonlyMap<Source, readonly Row[]>,
  executable: string | undefined,
  context: Context,
): Promise<Preview[]> {
  if (files.size === 0) return [];
  const paths = context.paths();
  const raw = structuredClone((await readConfig(paths))?.raw ?? {});
  raw.servers ??= {};
  for (const { status, name, draft } of [...files.values()].flat()) {
    if (status === "new") raw.servers[name] = draft.entry;
  }
  const { servers } = await parseConfig(JSON.stringify(raw), paths);
  const previews: Preview[] = [];
  for (const [source, rows] of files) {
    const after = await rewritten(source.text, rows, servers, executable, context);
    previews.push({ source, rows, after });
  }
  return previews;
}

/** Throws `configuration` if one of the files cannot be replaced. */
export function requireReplaceable(previews: readonly Preview[]): void {
  for (const { source, after } of previews) if (after !== source.text) requireWritable(source.path);
}

/** Rewrites the clients' entries to start this bridge; returns the paths of the changed files. Throws `configuration`. */
export async function replaceEntries(
  previews: readonly Preview[],
  executable: string | undefined,
  journal: JournalWriter,
  context: Context,
): Promise<string[]> {
  const changed: string[] = [];
  for (const { source, rows, after } of previews) {
    const { path, client, text: before } = source;
    const editNow = async (text: string) => {
      if (text === before) return after;
      const servers = (await readConfig(context.paths()))?.servers ?? new Map();
      return rewritten(text, rows, servers, executable, context);
    };
    const edit = async (text: string) => {
      const edited = await editNow(text);
      if (edited !== text) journal.noteFile(path, text, edited);
      return edited;
    };
    if (!(await journal.during(() => changeClientFile(path, edit, context)))) continue;
    changed.push(path);
    const names = rows.map(({ entry }) => `"${cleanText(entry.name, 80)}"`).join(", ");
    await context.print(`${context.marks.ok} Rewrote ${names} in ${path}\n`);
    context.note(`backup of the previous file, its secrets included: ${backupOf(path)}`);
    if (client !== undefined) context.note(`to see the change: ${client.reload}`);
  }
  return changed;
}

/** The command line that undoes the import. */
export const undoLine = (context: Context) => context.commandLine("import --undo");
