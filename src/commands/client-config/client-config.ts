import { resolve } from "node:path";
import { isatty } from "node:tty";
import { readArguments } from "../../cli/arguments.ts";
import { type Context, defineCommand, serversArgument, type Values } from "../../cli/command.ts";
import { clientNamed, unknownClient } from "../../config/clients/client-file.ts";
import { type Client, clients, type Start } from "../../config/clients/clients.ts";
import { readValue } from "../../config/clients/document.ts";
import { type Config, loadConfig, pickServers } from "../../config/load.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { BridgeError } from "../../wire/errors.ts";
import { command as codexConfig } from "../codex-config/codex-config.ts";
import { entriesDiff, visibleDiff } from "../codex-config/diff.ts";
import { combinedWords } from "../codex-config/entry.ts";
import { keptWords } from "../codex-config/run-options.ts";
import {
  combinedArgument,
  logFileArgument,
  requireFreeName,
} from "../codex-config/shared-arguments.ts";
import { readUserFile } from "../codex-config/user-file.ts";
import { backupOf } from "../codex-config/write.ts";
import {
  type EntryChange,
  removeEntry,
  type SectionEntry,
  sectionEntries,
  sectionOf,
  valueAt,
  writeEntries,
} from "./entry.ts";
import { clientStart, withWarningsOnce } from "./start.ts";
import { targetFile } from "./target-file.ts";
import { changeClientFile, clientText } from "./write.ts";

/** Clients that --for accepts; not mcporter, which reads the other clients' files. */
const writable = [...clients.keys()].filter((id) => id !== "mcporter");

const table = {
  for: {
    type: "string",
    valueHint: "CLIENT",
    description: "cursor, vscode, gemini, ...; without --for, an error lists all",
  },
  server: serversArgument,
  combined: combinedArgument,
  write: { type: "boolean", description: "merge the entries into the client's file" },
  remove: { type: "boolean", description: "remove the entries from the client's file" },
  replace: {
    type: "boolean",
    description: "overwrite an entry that starts another program",
  },
  "dry-run": { type: "boolean", description: "show what --write or --remove would change" },
  project: {
    type: "boolean",
    description: "the project's file in the current directory",
  },
  command: {
    type: "string",
    valueHint: "PATH",
    description: "the bridge's executable",
  },
  "log-file": logFileArgument,
} as const;

export const command = defineCommand({
  args: table,
  async run(values, given) {
    const context = withWarningsOnce(given);
    if (values.for === undefined)
      throw new BridgeError("usage", "client-config needs --for CLIENT", {
        hint: `one of ${writable.join(", ")}`,
      });
    if (!writable.includes(values.for)) throw unknownClient(values.for, writable);
    requireCompatibleOptions(values);
    if (values.for === "codex") return runCodexConfig(values, context);
    const client = clientNamed(values.for);
    const path = targetFile(client, values.project, context);
    if (values.remove) return remove(client, path, values, context);
    const config = await loadConfig(context.paths());
    const servers = pickServers(config, values.server);
    const starts = startsOf(servers, values, client, config, context);
    const edit = (text: string) => withEntries(text, client, path, starts, values.replace);
    if (values["dry-run"]) return showDiff(client, path, edit, context);
    if (!values.write) return print(client, path, starts, context);
    if (values.project) context.note(`the project's file: ${path}`);
    const isChanged = await changeClientFile(path, edit, context);
    const names = [...starts.keys()].map((name) => `"${name}"`).join(", ");
    await context.print(
      isChanged
        ? `${context.marks.ok} Wrote ${names} to ${path}\n`
        : `${context.marks.ok} ${names}: up to date in ${path}\n`,
    );
    if (isChanged) tellNext(client, path, context);
    return 0;
  },
});

type ClientConfigValues = Values<typeof table>;

/** How the client starts the bridge, by the names of its entries. */
function startsOf(
  servers: readonly ServerSettings[],
  { combined, command, server: names, "log-file": logFile }: ClientConfigValues,
  client: Client,
  config: Config,
  context: Context,
): ReadonlyMap<string, Start> {
  const logWords = logFile === undefined ? [] : ["--log-file", resolve(logFile)];
  const logging = (start: Start) => ({ ...start, args: [...start.args, ...logWords] });
  const single = (server: ServerSettings) =>
    logging(clientStart([server], client, command, context));
  if (combined === undefined) return new Map(servers.map((each) => [each.name, single(each)]));
  requireFreeName(combined, config);
  const words = combinedWords(servers, names.length === 0);
  return new Map([[combined, logging(clientStart(servers, client, command, context, words))]]);
}

function requireCompatibleOptions({ write, remove, replace }: ClientConfigValues): void {
  if (write && remove) throw new BridgeError("usage", "--write cannot be combined with --remove");
  if (remove && replace)
    throw new BridgeError("usage", "--remove cannot be combined with --replace");
}

/** `--for codex`: runs codex-config with the options that both commands have. */
async function runCodexConfig(values: ClientConfigValues, context: Context): Promise<number> {
  const words = values.server.flatMap((name) => ["--server", name]);
  for (const flag of ["write", "remove", "replace", "dry-run", "project"] as const) {
    if (values[flag]) words.push(`--${flag}`);
  }
  if (values.command !== undefined) words.push("--command", values.command);
  if (values.combined !== undefined) words.push("--combined", values.combined);
  if (values["log-file"] !== undefined) words.push("--log-file", values["log-file"]);
  const read = readArguments("codex-config", codexConfig.args, words);
  return (await codexConfig.run(read, context)) ?? 0;
}

async function withEntries(
  text: string,
  client: Client,
  path: string,
  starts: ReadonlyMap<string, Start>,
  mayReplace: boolean,
): Promise<string> {
  const entries = await sectionEntries(text, client, path);
  const value = await readValue(text, client.format, path);
  const section = sectionOf(client, value);
  const list = valueAt(value, section);
  // A list may hold items that are no servers of their own, such as Continue's `uses`.
  const length = Array.isArray(list) ? list.length : 0;
  const changes: EntryChange[] = [];
  let added = 0;
  for (const [name, start] of starts) {
    // An exact name wins over a name that differs in case.
    const existing =
      entries.find((entry) => entry.name === name) ??
      entries.find((entry) => entry.isOurs && entry.name.toLowerCase() === name.toLowerCase());
    // The bridge may have another file name: then an entry is known by what it starts.
    const isSame = Bun.deepEquals(existing?.words, [start.command, ...start.args]);
    if (existing !== undefined && !existing.isOurs && !isSame && !mayReplace)
      throw otherOwner(client, name, existing);
    const key = client.isList ? length + added : name;
    if (existing === undefined) added++;
    changes.push({
      path: existing?.path ?? [...section, key],
      name: existing?.name ?? name,
      start: existing?.isOurs
        ? { ...start, args: [...start.args, ...kept(existing, start)] }
        : start,
    });
  }
  return writeEntries(text, client, changes, path);
}

/** The options of `run` that a person added to the entry. */
const kept = ({ words }: SectionEntry, { args }: Start) => keptWords(words.slice(1), args);

function otherOwner({ title }: Client, name: string, { use }: SectionEntry): BridgeError {
  return new BridgeError("configuration", `${title} has a server "${name}" that ${use}`, {
    hint: "add --replace, or give the server another name",
  });
}

async function print(
  client: Client,
  path: string,
  starts: ReadonlyMap<string, Start>,
  context: Context,
): Promise<number> {
  const changes = [...starts].map(([name, start], at) => {
    return { path: [...client.section, client.isList ? at : name], name, start };
  });
  await context.print(await writeEntries("", client, changes, path));
  context.note(`for ${client.title}: this belongs in ${path}; --write merges it into that file`);
  return 0;
}

async function showDiff(
  { format }: Client,
  path: string,
  edit: (text: string) => Promise<string>,
  context: Context,
): Promise<number> {
  const before = clientText(path);
  const after = await edit(before);
  if (before === after) context.note(`nothing to change in ${path}`);
  const diff = await entriesDiff(path, { before, after, format }, context.redactor);
  await context.print(isatty(1) ? visibleDiff(diff) : diff);
  return 0;
}

async function remove(
  client: Client,
  path: string,
  values: ClientConfigValues,
  context: Context,
): Promise<number> {
  let removed: string[] = [];
  const edit = async (text: string) => {
    const names = values.combined === undefined ? values.server : [values.combined];
    const found = await removable(text, client, path, names, context);
    removed = found.map(({ name }) => name);
    let after = text;
    // Last entry first, so that the list indexes of the remaining entries stay valid.
    for (const { path: entryPath, name } of found.toReversed()) {
      after = await removeEntry(after, client, entryPath, name, path);
    }
    return after;
  };
  if (values["dry-run"]) return showDiff(client, path, edit, context);
  if (values.project) context.note(`the project's file: ${path}`);
  if (!(await changeClientFile(path, edit, context))) {
    await context.print(`${context.marks.ok} nothing to remove from ${path}\n`);
    return 0;
  }
  const names = removed.map((name) => `"${name}"`).join(", ");
  await context.print(`${context.marks.ok} Removed ${names} from ${path}\n`);
  tellNext(client, path, context);
  return 0;
}

/** The entries with these names; without names, all that start the bridge with this config.json. Throws `configuration`. */
async function removable(
  text: string,
  client: Client,
  path: string,
  names: readonly string[],
  context: Context,
) {
  const entries = await sectionEntries(text, client, path);
  const { custom, configFile } = context.paths();
  if (names.length === 0) {
    const file = custom ? configFile : undefined;
    return entries.filter((entry) => entry.isOurs && entry.configFile === file);
  }
  const found = entries.filter((entry) =>
    names.some((name) => name.toLowerCase() === entry.name.toLowerCase()),
  );
  const foreign = found.find((entry) => !entry.isOurs);
  if (foreign !== undefined) {
    throw new BridgeError(
      "configuration",
      `${client.title}'s server "${foreign.name}" ${foreign.use}`,
      { hint: "remove it in the client" },
    );
  }
  return found;
}

function tellNext({ reload }: Client, path: string, { note }: Context): void {
  if (readUserFile(backupOf(path)) !== undefined)
    note(`backup of the previous file: ${backupOf(path)}`);
  note(`to see the change: ${reload}`);
}
