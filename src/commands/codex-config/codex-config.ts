import { resolve } from "node:path";
import { type Context, defineCommand, serversArgument, type Values } from "../../cli/command.ts";
import { type Config, loadConfig, pickServers } from "../../config/load.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { readDocument, serverValue } from "../../config/toml-document.ts";
import { BridgeError, type Hint } from "../../wire/errors.ts";
import { codexConfigFile } from "./codex.ts";
import { entriesDiff } from "./diff.ts";
import {
  combinedEntry,
  configFileOf,
  fitted,
  isRewritable,
  nativeEntry,
  otherUse,
  ownerOf,
  stdioEntry,
} from "./entry.ts";
import { type Launch, launchOf } from "./launch.ts";
import { mergeEntry, removeEntry } from "./merge.ts";
import { combinedArgument, logFileArgument, requireFreeName } from "./shared-arguments.ts";
import { renderTable, type Wanted } from "./toml-render.ts";
import { isStdout, readUserFile } from "./user-file.ts";
import { backupOf, type Change, makeChange, preview } from "./write.ts";

const table = {
  server: serversArgument,
  write: { type: "boolean", description: "merge the entries into Codex's config.toml" },
  remove: { type: "boolean", description: "take the entries out of Codex's config.toml" },
  replace: {
    type: "boolean",
    description: "with --write: replace an entry that starts another program",
  },
  "dry-run": { type: "boolean", description: "show what --write or --remove would change" },
  combined: combinedArgument,
  native: {
    type: "boolean",
    description: "let Codex's own HTTP client reach the server, with headers from the bridge",
  },
  command: {
    type: "string",
    valueHint: "PATH",
    description: "the path of the bridge on the machine that runs Codex",
  },
  required: { type: "boolean", description: "let Codex refuse to start without the server" },
  "log-file": logFileArgument,
} as const;

export const command = defineCommand({
  args: table,
  async run(values, context) {
    const path = codexConfigFile(context.env);
    if (values.replace && !values.write && !values["dry-run"]) {
      throw new BridgeError("usage", "--replace goes with --write or --dry-run");
    }
    if (values.native && values["log-file"] !== undefined)
      throw new BridgeError("usage", "--native and --log-file exclude each other");
    if (values.remove) return remove(values, context, path);
    const config = await loadConfig(context.paths());
    const servers = pickServers(config, values.server);
    const logFile = values["log-file"] === undefined ? undefined : resolve(values["log-file"]);
    const launch = { ...launchOf(values.command, values.required, context), logFile };
    const entries = entriesOf(values, config, servers, launch);
    if (values.native) warnOfQueries(servers, context);
    const option = values.combined === undefined ? "server" : "combined";
    if (!values.write && !values["dry-run"]) return print(entries, context, path, option);
    const expectedFields = new Map<string, Wanted["fields"]>();
    const edit = async (text: string) => {
      let after = text;
      for (const [name, wanted] of entries) {
        const before = serverValue(await readDocument(after), name);
        const entry = fitted(name, wanted, before, values.replace);
        expectedFields.set(name, entry.fields);
        after = await mergeEntry(after, name, entry);
      }
      return after;
    };
    const change = { path, edit, expectedFields };
    if (values["dry-run"]) return showDiff(change, context);
    const isChanged = await makeChange(change, context);
    const names = [...entries.keys()].map((name) => `[mcp_servers.${name}]`).join(", ");
    const { ok } = context.marks;
    await context.print(
      isChanged ? `${ok} Wrote ${names} to ${path}\n` : `${ok} ${names}: up to date in ${path}\n`,
    );
    if (isChanged) await noteNextSteps(context, path);
    if (values.combined !== undefined) await noteSingles(servers, context, path);
    return 0;
  },
});

/** The entries to write, by name. Throws `usage` and `refused`. */
function entriesOf(
  { combined, native, server: names }: Values<typeof table>,
  config: Config,
  servers: readonly ServerSettings[],
  launch: Launch,
): ReadonlyMap<string, Wanted> {
  if (combined === undefined) {
    const entryOf = native ? nativeEntry : stdioEntry;
    return new Map(servers.map((server) => [server.name, entryOf(server, launch)]));
  }
  if (native) throw new BridgeError("usage", "--combined and --native exclude each other");
  requireFreeName(combined, config);
  return new Map([[combined, combinedEntry(servers, names.length === 0, launch)]]);
}

/** Tells of entries that start one of the combined servers alone: Codex would see its tools twice. */
async function noteSingles(servers: readonly ServerSettings[], context: Context, path: string) {
  const document = await readDocument(readUserFile(path)?.text ?? "");
  const singles = servers.filter(({ name }) => {
    const entry = serverValue(document, name);
    return entry !== undefined && isRewritable(name, entry);
  });
  if (singles.length === 0) return;
  const names = singles.map(({ name }) => ` --server ${name}`).join("");
  context.note(
    `config.toml has entries for these servers alone, too: ${context.commandLine(`codex-config${names} --remove`)}`,
  );
}

async function noteNextSteps({ note }: Context, path: string): Promise<void> {
  if (readUserFile(backupOf(path)) !== undefined)
    note(`backup of the previous file: ${backupOf(path)}`);
  note("restart Codex to see the change");
}

/** Warns of URLs with a query: some providers put a secret there, and --native writes the URL into config.toml. */
function warnOfQueries(servers: readonly ServerSettings[], { warn }: Context): void {
  for (const { name, url } of servers) {
    if (url.search !== "")
      warn(
        `the URL of "${name}" is written with its query, which may hold a secret, to config.toml`,
      );
  }
}

async function print(
  entries: ReadonlyMap<string, Wanted>,
  context: Context,
  path: string,
  option: "server" | "combined",
): Promise<number> {
  // Begins with an empty line, because the file that it is appended to may lack a final newline.
  const text = [...entries].map(([name, wanted]) => `\n${renderTable(name, wanted)}`).join("");
  if (isStdout(path)) await requireAppendable(text, entries, path, option);
  await context.print(text);
  return 0;
}

/**
 * For `codex-config >> config.toml`. Throws `refused` if the file has one of the servers already: Codex refuses a whole file
 * with two tables of one name.
 */
async function requireAppendable(
  text: string,
  entries: ReadonlyMap<string, Wanted>,
  path: string,
  option: "server" | "combined",
) {
  const names = [...entries.keys()].map((name) => ` --${option} ${name}`).join("");
  const before = readUserFile(path)?.text ?? "";
  const document = await readDocument(before);
  const { servers } = document;
  const isForeign = (name: string) =>
    servers.has(name) && !isRewritable(name, serverValue(document, name) ?? {});
  // `--write` alone would refuse such an entry.
  const replace = [...entries.keys()].some(isForeign) ? " --replace" : "";
  const hint: Hint = (command) => `run ${command(`codex-config${names} --write${replace}`)}`;
  const duplicate = [...entries.keys()].find((name) => servers.has(name));
  if (duplicate !== undefined) {
    throw new BridgeError("refused", `${path} holds the server "${duplicate}" already`, { hint });
  }
  await readDocument(before + text).catch((cause) => {
    throw new BridgeError("refused", `${path} cannot be appended to`, { hint, cause });
  });
}

async function showDiff(change: Change, context: Context): Promise<number> {
  const { before, after } = await preview(change);
  if (before === after) context.note(`nothing to change in ${change.path}`);
  const text = { before, after, format: "toml" } as const;
  await context.print(await entriesDiff(change.path, text, context.redactor));
  return 0;
}

async function remove(
  values: Values<typeof table>,
  context: Context,
  path: string,
): Promise<number> {
  const excluded = (["write", "replace", "native", "required", "log-file"] as const).find(
    (name) => values[name],
  );
  if (excluded !== undefined || values.command !== undefined) {
    throw new BridgeError("usage", `--remove does not go with --${excluded ?? "command"}`);
  }
  let removed: string[] = [];
  const edit = async (text: string) => {
    const names = values.combined === undefined ? values.server : [values.combined];
    removed = await removable(text, names, path, context);
    let after = text;
    for (const name of removed) after = await removeEntry(after, name);
    return after;
  };
  const change = { path, edit, expectedFields: new Map() };
  if (values["dry-run"]) return showDiff(change, context);
  if (!(await makeChange(change, context))) {
    await context.print(`${context.marks.ok} nothing to remove from ${path}\n`);
    return 0;
  }
  const names = removed.map((name) => `[mcp_servers.${name}]`).join(", ");
  await context.print(`${context.marks.ok} Removed ${names} from ${path}\n`);
  await noteNextSteps(context, path);
  return 0;
}

/**
 * Names of the entries to remove: of `names` those that exist; without names, every entry that starts the bridge with this
 * configuration. Throws `configuration` if a named entry does not.
 */
async function removable(
  text: string,
  names: readonly string[],
  path: string,
  context: Context,
): Promise<string[]> {
  const document = await readDocument(text);
  const { custom, configFile } = context.paths();
  const entryOf = (name: string) => serverValue(document, name) ?? {};
  const isOurs = (name: string) => isRewritable(name, entryOf(name));
  const existing = [...document.servers.keys()];
  if (names.length === 0) {
    const file = custom ? configFile : undefined;
    return existing.filter((name) => isOurs(name) && configFileOf(entryOf(name)) === file);
  }
  // An exact match wins: an entry whose name differs only in case may belong to another program.
  const found = names.flatMap((name) => {
    if (existing.includes(name)) return [name];
    return existing.filter((each) => each.toLowerCase() === name.toLowerCase());
  });
  const foreign = found.find((name) => !isOurs(name));
  if (foreign === undefined) return [...new Set(found)];
  const use = otherUse(ownerOf(foreign, entryOf(foreign)));
  throw new BridgeError("configuration", `"${foreign}" in ${path} ${use}`, {
    hint: "remove this entry by hand if you no longer need it",
  });
}
