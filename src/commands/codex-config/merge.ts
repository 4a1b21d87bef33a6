import type { AST } from "toml-eslint-parser";
import {
  type Document,
  type Located,
  type Pair,
  readDocument,
  serverValue,
} from "../../config/toml-document.ts";
import { BridgeError } from "../../wire/errors.ts";
import { type Edit, Lines } from "./text-edits.ts";
import {
  renderInline,
  renderPair,
  renderTable,
  renderValue,
  type TomlValue,
  type Wanted,
} from "./toml-render.ts";

/** Keys whose existing value stays, because the user may have extended it. */
const preservedKeys = new Set(["env"]);
const approvalKey = "default_tools_approval_mode";

function refuse(name: string, hint: string): BridgeError {
  const message = `config.toml: the entry of "${name}" is written in a form that cannot be edited`;
  return new BridgeError("configuration", message, { hint });
}

/** The fields to set, without existing values of preserved keys. */
function fieldsFor(wanted: Wanted, before: Record<string, unknown> | undefined) {
  const pairs = Object.entries(wanted.fields);
  return pairs.filter(([key]) => before?.[key] === undefined || !preservedKeys.has(key));
}

/** The parsed entry that the merge must produce. */
function expectedEntry(wanted: Wanted, before: Record<string, unknown> | undefined) {
  const after = { ...before, ...Object.fromEntries(fieldsFor(wanted, before)) };
  for (const key of wanted.unwanted) delete after[key];
  return after;
}

/**
 * Sets a server's entry in the text. Other keys of the entry and every byte outside it stay. A new entry goes to the end,
 * after an empty line, and has no final line end if the text had none. Throws `configuration` where the entry has a form
 * that cannot be edited safely.
 */
export async function mergeEntry(text: string, name: string, wanted: Wanted): Promise<string> {
  const document = await readDocument(text);
  const before = serverValue(document, name);
  if (wanted.replaces && Object.hasOwn(before ?? {}, "env")) {
    const { env: _, ...fields } = wanted.fields;
    const unwanted = [...wanted.unwanted, "env"];
    return mergeEntry(
      await mergeEntry(text, name, { ...wanted, fields, unwanted, replaces: false }),
      name,
      wanted,
    );
  }
  if (isAllUnwanted(document.servers.get(name), wanted)) {
    // No key of the old entry stays, so there is no line to insert new keys below: remove the entry and add a new one.
    return mergeEntry(await withoutEntry(text, name), name, wanted);
  }
  const effective = isNoteUncommented(document, name, wanted)
    ? { ...wanted, unwanted: wanted.unwanted.filter((key) => key !== approvalKey) }
    : wanted;
  const after = merged(document, name, effective, before);
  await verifyEdit(document, after, name, expectedEntry(effective, before));
  return after;
}

/** The line of an entry's own table that sets the approval. */
function approvalLine(found: Located | undefined): AST.TOMLKeyValue | undefined {
  const table = ownTable(found?.tables ?? []);
  return found?.pairs.find(({ path, node }) => path[0] === approvalKey && node.parent === table)
    ?.node;
}

/** Whether the user uncommented the approval note that the bridge wrote: then the approval stays. */
function isNoteUncommented({ text, servers }: Document, name: string, { note }: Wanted): boolean {
  const line = approvalLine(servers.get(name));
  return line !== undefined && new Lines(text).textToLineEnd(line.range) === note;
}

/** Whether the entry consists of dotted keys only, all of them unwanted. */
function isAllUnwanted(found: Located | undefined, { unwanted }: Wanted): boolean {
  if (found === undefined || found.inline !== undefined || found.tables.length > 0) return false;
  return found.pairs.every(({ path }) => unwanted.includes(path[0]!));
}

/**
 * The text without a server's entry; a text without a final line end keeps that form, so that it is again the text from
 * before the entry was added. Throws `configuration` where the entry cannot be removed safely.
 */
export async function removeEntry(text: string, name: string): Promise<string> {
  return withEndOf(text, await withoutEntry(text, name));
}

/** The text without the lines of a server's entry; every byte outside them stays. */
async function withoutEntry(text: string, name: string): Promise<string> {
  const document = await readDocument(text);
  const found = document.servers.get(name);
  if (found === undefined) return text;
  const lines = new Lines(text);
  const edits: Edit[] = [];
  if (found.inline !== undefined) {
    edits.push(removeInline(lines, found.inline.pair));
  } else {
    const inTables = new Set(found.tables.flatMap((table) => table.body));
    for (const { node } of found.pairs) {
      if (inTables.has(node)) continue;
      edits.push(removeInline(lines, node));
    }
    for (const table of found.tables) edits.push(lines.removeTable(table));
    edits.push(...noteEdits(document, found, lines, true));
  }
  const after = lines.apply(edits);
  await verifyEdit(document, after, name, undefined);
  return after;
}

/** The edited text, without its final line end if the text before had none. */
function withEndOf(before: string, after: string): string {
  return before.endsWith("\n") ? after : after.replace(/\r?\n$/, "");
}

/** Parses the edited text. Throws `configuration` unless the entry is `entry` (undefined: removed) and all else is unchanged. */
async function verifyEdit(
  before: Document,
  text: string,
  name: string,
  entry: unknown,
): Promise<void> {
  const after = await readDocument(text).catch(() => undefined);
  const { mcp_servers: serversBefore = {}, ...othersBefore } = before.value;
  const { mcp_servers: servers = {}, ...others } = after?.value ?? {};
  const expectedServers: Record<string, unknown> = { ...(serversBefore as object), [name]: entry };
  if (entry === undefined) delete expectedServers[name];
  if (Bun.deepEquals(servers, expectedServers) && Bun.deepEquals(others, othersBefore)) return;
  throw refuse(name, "remove the entry by hand, then try again");
}

function merged(
  document: Document,
  name: string,
  wanted: Wanted,
  before: Record<string, unknown> | undefined,
): string {
  const { text } = document;
  const found = document.servers.get(name);
  const lines = new Lines(text);
  if (found === undefined || before === undefined) return added(document, name, wanted, lines);
  const fields = fieldsFor(wanted, before);
  if (found.inline !== undefined) {
    return lines.apply(inlineEdits(document, found.inline.table, fields, wanted, before));
  }
  return lines.apply(lineEdits(document, found, name, fields, wanted, before, lines));
}

function added({ text, inlineServers }: Document, name: string, wanted: Wanted, lines: Lines) {
  if (inlineServers !== undefined) {
    const last = inlineServers.body.at(-1);
    const entry = `${name} = ${renderInline(wanted)}`;
    const at = last?.range[1] ?? inlineServers.range[0] + 1;
    return lines.apply([
      { start: at, end: at, text: last === undefined ? ` ${entry} ` : `, ${entry}` },
    ]);
  }
  const table = renderTable(name, wanted, lines.lineEnd);
  const content = text.replace(/^\ufeff/, "");
  if (content === "") return text + table;
  const separator = content.endsWith("\n") ? lines.lineEnd : lines.lineEnd + lines.lineEnd;
  return withEndOf(text, text + separator + table);
}

/** Edits of an entry written as an inline table: the table is rendered again in place, with its remaining pairs unchanged. */
function inlineEdits(
  { text }: Document,
  table: AST.TOMLInlineTable,
  fields: readonly [string, TomlValue][],
  wanted: Wanted,
  before: Record<string, unknown>,
): Edit[] {
  const stale = (key: string) =>
    wanted.unwanted.includes(key) ||
    fields.some(([field, value]) => field === key && !Bun.deepEquals(before[key], value));
  const missing = fields.filter(([key]) => before[key] === undefined || stale(key));
  const staying = table.body.filter((pair) => !stale(topKey(pair)));
  if (missing.length === 0 && staying.length === table.body.length) return [];
  const pairs = [
    ...missing.map(([key, value]) => renderPair(key, value)),
    ...staying.map((pair) => text.slice(...pair.range)),
  ];
  const [start, end] = table.range;
  return [{ start, end, text: `{ ${pairs.join(", ")} }` }];
}

function topKey(pair: AST.TOMLKeyValue): string {
  const first = pair.key.keys[0];
  if (first === undefined) return "";
  return first.type === "TOMLBare" ? first.name : first.value;
}

function lineEdits(
  document: Document,
  found: Located,
  name: string,
  fields: readonly [string, TomlValue][],
  wanted: Wanted,
  before: Record<string, unknown>,
  lines: Lines,
): Edit[] {
  const hasNote = wanted.note === undefined || noteEdits(document, found, lines, false).length > 0;
  const approval = hasNote ? undefined : approvalLine(found);
  const edits = wanted.unwanted.flatMap((key) =>
    key === approvalKey && approval !== undefined
      ? [lines.replaceToLineEnd(approval.range, `# ${wanted.note}`)]
      : dropKey(found, key, lines),
  );
  const missing = fields.filter(([key]) => before[key] === undefined);
  for (const [key, value] of fields) {
    if (before[key] === undefined || Bun.deepEquals(before[key], value)) continue;
    const [pair, ...more] = found.pairs.filter(({ path }) => path[0] === key);
    if (pair === undefined || more.length > 0 || pair.path.length > 1) {
      throw refuse(name, `write ${key} as ${renderPair(key, value)}`);
    }
    const [start, end] = pair.node.value.range;
    edits.push({ start, end, text: renderValue(value) });
  }
  if (missing.length > 0) {
    const { after, prefix } = insertionPoint(document, found, name, wanted.unwanted);
    const added = missing.map(([key, value]) => prefix + renderPair(key, value));
    edits.push(lines.insertAfter(after, added));
  }
  if (wanted.fields[approvalKey] !== undefined)
    edits.push(...noteEdits(document, found, lines, false));
  return edits;
}

/** The range below which new keys are inserted, and the dotted prefix that their names need there. */
function insertionPoint(
  { text }: Document,
  { pairs, tables }: Located,
  name: string,
  unwanted: readonly string[],
): { after: AST.Range; prefix: string } {
  const table = ownTable(tables);
  const staying = pairs.filter(({ path }) => !unwanted.includes(path[0]!));
  if (table !== undefined) {
    const last = staying.findLast(({ node }) => node.parent === table);
    return { after: last?.node.range ?? [table.range[0], table.key.range[1]], prefix: "" };
  }
  const last = staying.findLast(({ path, node }) => isDirect(path, node));
  if (last === undefined || last.node.parent.type === "TOMLInlineTable") {
    throw refuse(name, `write it as a table of its own, [mcp_servers.${name}]`);
  }
  const parts = last.node.key.keys;
  const own = parts[parts.length - last.path.length]!;
  return { after: last.node.range, prefix: text.slice(last.node.range[0], own.range[0]) };
}

/** The table `[mcp_servers.NAME]` itself. */
function ownTable(tables: readonly AST.TOMLTable[]): AST.TOMLTable | undefined {
  return tables.find(({ key }) => key.keys.length === 2);
}

/** Whether the key is a dotted key written outside the entry's own table. */
function isDirect(path: Pair["path"], node: AST.TOMLKeyValue): boolean {
  return node.key.keys.length > path.length;
}

function dropKey({ pairs, tables }: Located, key: string, lines: Lines): Edit[] {
  const subtables = tables.filter(({ resolvedKey }) => resolvedKey[2] === key);
  const inTables = new Set(subtables.flatMap(({ body }) => body));
  return [
    ...pairs
      .filter(({ path, node }) => path[0] === key && !inTables.has(node))
      .map(({ node }) => lines.removeLines(node.range)),
    ...subtables.map((table) => lines.removeTable(table)),
  ];
}

/** Removes a pair together with its line, or in an inline table together with its comma. */
function removeInline(lines: Lines, pair: AST.TOMLKeyValue): Edit {
  if (pair.parent.type !== "TOMLInlineTable") return lines.removeLines(pair.range);
  const { body, range } = pair.parent;
  const at = body.indexOf(pair);
  const previous = body[at - 1];
  const next = body[at + 1];
  if (previous !== undefined) return { start: previous.range[1], end: pair.range[1], text: "" };
  if (next !== undefined) return { start: pair.range[0], end: next.range[0], text: "" };
  return { start: range[0], end: range[1], text: "{}" };
}

/** Removes the approval note that the bridge wrote; with `isBelow`, only if it stands below the entry's last key. */
function noteEdits(document: Document, found: Located, lines: Lines, isBelow: boolean): Edit[] {
  const table = ownTable(found.tables);
  if (table === undefined) return [];
  const { comments, headers } = document;
  const start = isBelow ? table.range[1] : table.range[0];
  const end = headers[headers.indexOf(table) + 1]?.range[0] ?? Number.POSITIVE_INFINITY;
  const note = comments.find(
    ({ range, value }) =>
      range[0] >= start && range[0] < end && value.trimStart().startsWith(approvalKey),
  );
  return note === undefined || !lines.startsLine(note.range) ? [] : [lines.removeLines(note.range)];
}
