import { isatty } from "node:tty";
import { type Context, defineCommand, type Values } from "../../cli/command.ts";
import { formatOf } from "../../config/clients/document.ts";
import { findEntries } from "../../config/clients/entries.ts";
import { readConfig } from "../../config/load.ts";
import type { Environment } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";
import { withWarningsOnce } from "../client-config/start.ts";
import { entriesDiff, visibleDiff } from "../codex-config/diff.ts";
import { convertEntry } from "./convert.ts";
import { undoImport } from "./journal.ts";
import { type Found, makePlan, type Row } from "./plan.ts";
import { askValue, canAsk, chooseRows } from "./questions.ts";
import { previewEntries, replaceable } from "./replace.ts";
import { jsonText, planText, rowJson } from "./report.ts";
import { requireImportable, saveRows } from "./save.ts";
import { fileReader, findSources, type Source } from "./sources.ts";
import { isOwnConfiguration, isTeamFile, teamEntries } from "./team-file.ts";

const table = {
  file: {
    type: "positional",
    required: false,
    repeat: true,
    description: "a client's configuration file, or a team file",
  },
  from: {
    type: "string",
    valueHint: "CLIENT",
    description: "read only this client's files; with FILE: the client it belongs to",
  },
  select: {
    type: "string",
    valueHint: "NAME",
    repeat: true,
    description: "import this server, by its name in the client or in config.json",
  },
  all: { type: "boolean", description: "import every server that can be imported" },
  replace: {
    type: "boolean",
    description: "rewrite the clients' entries to start this bridge",
  },
  "dry-run": { type: "boolean", description: "show the plan and change nothing" },
  json: { type: "boolean", description: "print the plan and the result as JSON" },
  test: { type: "boolean", description: "test the servers; otherwise none is contacted" },
  undo: { type: "boolean", description: "undo the last import" },
  command: {
    type: "string",
    valueHint: "PATH",
    description: "with --replace: the bridge's executable",
  },
} as const;
type ImportValues = Values<typeof table>;

export const command = defineCommand({
  args: table,
  async run(values, given) {
    const context = withWarningsOnce(given);
    if (values.undo) {
      requireAlone(values);
      return undoImport(context);
    }
    const sources = await findSources(values.file, values.from, context);
    refuseOwnConfiguration(sources, context);
    const rows = await planRows(sources, new Map(), context);
    const local = countLocal(sources);
    if (rows.length === 0) return nothingFound(sources, local, values, context);
    if (!values.json) await context.print(planText(rows, local, context));
    const chosen = await chooseFrom(rows, values, context);
    requireClients(chosen ?? rows, values);
    if (values["dry-run"] || chosen === undefined) return preview(rows, chosen, values, context);
    const answered = await answer(sources, chosen, values, context);
    await saveRows(rows, answered, values, context);
    return values.test ? test(answered, context) : 0;
  },
});

function requireAlone({ file, select, all, replace, from, test, json }: ImportValues): void {
  const isMore = file.length > 0 || select.length > 0 || from !== undefined;
  if (isMore || all || replace || test || json) {
    throw new BridgeError("usage", "--undo cannot be combined with other options");
  }
}

/** Throws `configuration` if a source is a config.json of this program. */
function refuseOwnConfiguration(sources: readonly Source[], { paths }: Context): void {
  const { configFile } = paths();
  const own = sources.find(({ path, value }) => path === configFile || isOwnConfiguration(value));
  if (own === undefined) return;
  throw new BridgeError("configuration", `${own.path} is a configuration of this program`, {
    hint: "use export, then import the team file",
  });
}

/** Converts every entry of the sources; `answers` holds the user's values of missing variables. */
function readAll(
  sources: readonly Source[],
  answers: ReadonlyMap<string, string>,
  env: Environment,
): Found[] {
  return sources.flatMap((source) => {
    if (isTeamFile(source.value)) return teamEntries(source, answers);
    const origin = {
      env,
      answers: Object.fromEntries(answers),
      isCodex: source.client?.id === "codex",
    };
    return findEntries(source.value).map((entry) => ({
      source,
      entry,
      outcome: convertEntry(entry, fileReader(source), origin),
    }));
  });
}

async function planRows(
  sources: readonly Source[],
  answers: ReadonlyMap<string, string>,
  { paths, redactor, env }: Context,
): Promise<Row[]> {
  const configPaths = paths();
  const current = (await readConfig(configPaths))?.raw ?? {};
  const rows = await makePlan(readAll(sources, answers, env), current, configPaths, env);
  for (const { draft } of rows) {
    for (const secret of draft.secrets) redactor.add(secret);
  }
  return rows;
}

function countLocal(sources: readonly Source[]): number {
  return readAll(sources, new Map(), {}).filter(({ outcome }) => outcome.kind === "local").length;
}

async function nothingFound(
  sources: readonly Source[],
  local: number,
  { json }: ImportValues,
  context: Context,
): Promise<number> {
  if (json) {
    await context.print(jsonText({ found: [], saved: [], replaced: [] }));
    return 0;
  }
  const where =
    sources.length === 0
      ? "no client's configuration file was found"
      : `no remote server was found in ${sources.map(({ path }) => path).join(", ")}`;
  const rest = local === 0 ? "" : ` (${local} local ${local === 1 ? "server" : "servers"})`;
  await context.print(`${where}${rest}\n`);
  return 0;
}

const isNamed = ({ entry, name }: Row, wanted: string) =>
  [entry.name, name].some((each) => each.toLowerCase() === wanted.toLowerCase());

/** The rows to import; undefined if no option selects any and the user cannot be asked. Throws `usage` or `refused`. */
async function chooseFrom(
  rows: readonly Row[],
  { select, all, replace, json, "dry-run": isDry }: ImportValues,
  context: Context,
): Promise<Row[] | undefined> {
  const selectable = rows.filter(
    ({ status }) => status === "new" || (replace && status === "present"),
  );
  if (select.length > 0) {
    if (all) throw new BridgeError("usage", "--select cannot be combined with --all");
    return selected(rows, select);
  }
  if (all) return selectable;
  if (json || isDry || !canAsk()) {
    if (selectable.length > 0 && !isDry) {
      context.note("nothing was saved: add --all, or --select NAME for each server");
    }
    return undefined;
  }
  return selectable.length === 0 ? [] : chooseRows(selectable);
}

function selected(rows: readonly Row[], names: readonly string[]): Row[] {
  const chosen = names.flatMap((name) => {
    const found = rows.filter((row) => isNamed(row, name));
    if (found.length > 0) return found;
    throw new BridgeError("usage", `--select: there is no server ${JSON.stringify(name)}`, {
      hint: `found: ${rows.map(({ entry }) => entry.name).join(", ")}`,
    });
  });
  requireImportable(chosen);
  return [...new Set(chosen)];
}

/** --dry-run: prints the changes without making them. */
async function preview(
  rows: readonly Row[],
  chosen: readonly Row[] | undefined,
  { replace, json, command: executable }: ImportValues,
  context: Context,
): Promise<number> {
  if (json) {
    await context.print(jsonText({ found: rows.map(rowJson), saved: [], replaced: [] }));
    return 0;
  }
  if (!replace) return 0;
  const files = replaceable(chosen ?? rows);
  for (const { source, after } of await previewEntries(files, executable, context)) {
    const { path, text: before, client } = source;
    const change = { before, after, format: client?.format ?? formatOf(path) };
    const diff = await entriesDiff(path, change, context.redactor);
    await context.print(`\n${isatty(1) ? visibleDiff(diff) : diff}`);
  }
  return 0;
}

/** Asks the user for the missing values, if the terminal allows it; returns the rows converted with the answers. */
async function answer(
  sources: readonly Source[],
  chosen: readonly Row[],
  { json }: ImportValues,
  context: Context,
): Promise<readonly Row[]> {
  if (json || !canAsk()) return chosen;
  const answers = new Map<string, string>();
  const asked = new Set<string>();
  for (const { draft, name } of chosen) {
    for (const missing of draft.missing) {
      if (asked.has(missing.variable)) continue;
      asked.add(missing.variable);
      const value = await askValue(name, missing);
      if (value === undefined) continue;
      context.redactor.add(value);
      answers.set(missing.variable, value);
    }
  }
  if (answers.size === 0) return chosen;
  const again = await planRows(sources, answers, context);
  return again.filter((row) =>
    chosen.some(({ source, entry }) => source === row.source && sameEntry(entry.path, row)),
  );
}

const sameEntry = (path: Row["entry"]["path"], { entry }: Row) => Bun.deepEquals(path, entry.path);

/** Throws `usage` if --replace would rewrite a file of no known client, whose entry format is unknown. */
function requireClients(rows: readonly Row[], { replace }: ImportValues): void {
  const unknown = replace ? rows.find(({ source }) => source.client === undefined) : undefined;
  if (unknown === undefined) return;
  throw new BridgeError("usage", `--replace: ${unknown.source.path} belongs to no known client`, {
    hint: "add --from CLIENT",
  });
}

async function test(rows: readonly Row[], context: Context): Promise<number> {
  const { command: testCommand } = await import("../test/test.ts");
  const { readArguments } = await import("../../cli/arguments.ts");
  const words = rows.flatMap(({ name }) => ["--server", name]);
  if (words.length === 0) return 0;
  return (await testCommand.run(readArguments("test", testCommand.args, words), context)) ?? 0;
}
