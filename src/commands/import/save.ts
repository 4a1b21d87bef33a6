import type { Context } from "../../cli/command.ts";
import type { Config, RawConfig } from "../../config/load.ts";
import { changeConfig } from "../../config/save.ts";
import { BridgeError } from "../../wire/errors.ts";
import { approveHashes } from "../pin/approve.ts";
import { JournalWriter } from "./journal.ts";
import { identityOf, type Row } from "./plan.ts";
import { canAsk } from "./questions.ts";
import {
  type Preview,
  previewEntries,
  replaceable,
  replaceEntries,
  requireReplaceable,
  undoLine,
} from "./replace.ts";
import { jsonText, rowJson } from "./report.ts";
import type { Source } from "./sources.ts";

interface SaveOptions {
  /** Prints the result as JSON, and nothing for people. */
  readonly json: boolean;
  /** Rewrites the clients' entries, too. */
  readonly replace: boolean;
  /** The bridge's executable in rewritten entries; default: this one. */
  readonly command?: string | undefined;
}

/** Throws `refused` if one of the rows cannot be imported. */
export function requireImportable(rows: readonly Row[]): void {
  const refused = rows.find(({ status }) => status === "refused");
  if (refused === undefined) return;
  throw new BridgeError(
    "refused",
    `${JSON.stringify(refused.entry.name)} cannot be imported: ${refused.draft.refused}`,
  );
}

/** Saves the chosen rows and prints the result; `rows` are all that were found. Throws `refused` and `configuration`. */
export async function saveRows(
  rows: readonly Row[],
  chosen: readonly Row[],
  options: SaveOptions,
  context: Context,
): Promise<void> {
  const { json, replace, command } = options;
  requireImportable(chosen);
  const replaced = replace ? replaceable(chosen) : new Map<Source, Row[]>();
  // Both throw before anything is saved if an entry cannot be rewritten.
  const previews = await previewEntries(replaced, command, context);
  requireReplaceable(previews);
  const journal = new JournalWriter(context.paths().home);
  const { added, signedIn, names, files } = await change(
    previews,
    chosen,
    options,
    journal,
    context,
  ).catch((error) => {
    if (!journal.isEmpty)
      context.note(`a part of the import is done; to undo it: ${undoLine(context)}`);
    throw error;
  });
  const isChanged = names.length > 0 || files.length > 0;
  if (json) {
    const result = {
      found: rows.map(rowJson),
      saved: names,
      replaced: files,
      ...(isChanged && { undo: undoLine(context) }),
    };
    await context.print(jsonText(result));
  } else if (isChanged) {
    const withoutSignIn = added.filter(({ name }) => !signedIn.has(name));
    await tellNext(withoutSignIn, files.length > 0 || added.length === 0, context);
  } else await context.print("\nnothing to save\n");
}

/** Adds the servers, then rewrites the clients' entries. Throws `configuration`; the journal then holds what was done. */
async function change(
  previews: readonly Preview[],
  chosen: readonly Row[],
  { json, command }: SaveOptions,
  journal: JournalWriter,
  context: Context,
) {
  const rows = chosen.filter(({ status }) => status === "new");
  const { added, signedIn } = await addServers(rows, journal, context);
  const names = added.map(({ name }) => name);
  if (!json && names.length > 0) {
    await context.print(
      `\n${context.marks.ok} Saved ${names.map((name) => `"${name}"`).join(", ")} in ${context.paths().configFile}\n`,
    );
  }
  const quiet = { ...context, print: json ? async () => true : context.print };
  const files = await replaceEntries(previews, command, journal, quiet);
  return { added, signedIn, names, files };
}

interface Added {
  readonly added: readonly Row[];
  /** Names of the servers whose sign-in was taken over. */
  readonly signedIn: ReadonlySet<string>;
}

/** Adds the servers to config.json, with their approvals and sign-ins; a server that another process has added meanwhile is none of `added`. */
async function addServers(
  rows: readonly Row[],
  journal: JournalWriter,
  context: Context,
): Promise<Added> {
  const signedIn = new Set<string>();
  if (rows.length === 0) return { added: rows, signedIn };
  let added: readonly Row[] = [];
  const add = (raw: RawConfig) => {
    raw.servers ??= {};
    const { servers } = raw;
    added = rows.filter((row) => !isThere(servers, row));
    for (const { name, draft } of added) servers[name] = draft.entry;
    if (added.length > 0) journal.noteServers(added.map(({ name, draft }) => [name, draft.entry]));
  };
  const config = await journal.during(() => changeConfig(context.paths(), add));
  for (const row of added) {
    takeApprovals(row, config, context);
    const server = config.servers.get(row.name)!;
    if (row.draft.mcpRemoteKey === undefined) continue;
    const { takeSignIn } = await import("./take-sign-in.ts");
    if (!(await takeSignIn(row, server, context))) continue;
    signedIn.add(row.name);
    context.note(
      `the sign-in of "${row.name}" comes from mcp-remote, whose own copy ends when the bridge renews it`,
    );
  }
  return { added, signedIn };
}

/** Whether config.json has a row's server by now. Throws `configuration` if it has another server of that name, ignoring case. */
function isThere(servers: NonNullable<RawConfig["servers"]>, { name, draft }: Row): boolean {
  const lower = name.toLowerCase();
  const other = Object.entries(servers).find(([each]) => each.toLowerCase() === lower);
  if (other === undefined) return false;
  if (identityOf(other[1]) === identityOf(draft.entry)) return true;
  throw new BridgeError("configuration", `config.json now has another server "${other[0]}"`, {
    hint: "nothing was saved: import again",
  });
}

/** Takes over the approvals of a team file, except where they are made on a terminal only and none is here. */
function takeApprovals({ name, draft }: Row, config: Config, context: Context): void {
  const settings = config.servers.get(name);
  const pin = settings?.tools?.pin ?? false;
  if (settings === undefined || pin === false) return;
  const isAllowed = draft.approved.length > 0 && (pin === true || canAsk());
  if (isAllowed) approveHashes(settings, draft.approved, context);
  else context.note(`the tools of "${name}" wait for ${context.commandLine(`pin ${name}`)}`);
}

async function tellNext(
  added: readonly Row[],
  isReplaced: boolean,
  context: Context,
): Promise<void> {
  const lines = added.flatMap(({ name, draft: { entry } }) => {
    const login = context.commandLine(`login --server ${name}`);
    if (entry.auth?.type === "oauth") return [login];
    if (!hasNoCredential(entry)) return [];
    return [context.commandLine(`test --server ${name}`), `${login}   (if it asks for a sign-in)`];
  });
  if (!isReplaced) lines.push(context.commandLine("codex-config --write"));
  const commands = lines.map((line) => `  ${line}\n`).join("");
  const next = commands === "" ? "" : `\nNext steps:\n${commands}`;
  await context.print(`${next}\nUndo:\n  ${undoLine(context)}\n`);
}

/** Whether the entry has neither a token nor an `auth` setting, so that the server may require a sign-in. */
function hasNoCredential({ token, tokenEnv, auth }: Row["draft"]["entry"]): boolean {
  return token === undefined && tokenEnv === undefined && auth === undefined;
}
