import type { Document, Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { BridgeError } from "../../wire/errors.ts";

// Edits YAML; every line outside of the edited entry is kept. The library only finds the lines to change: its own output
// of the document would move comments and blanks.

/** The key of a section, and the name of its file in errors. */
interface SectionPlace {
  readonly key: string;
  readonly where: string;
}

interface Section {
  readonly pair: Pair<Scalar, Node | null>;
  readonly value: YAMLMap<Scalar, Node> | YAMLSeq<Node> | undefined;
}

function refuse(where: string, problem: string): BridgeError {
  return new BridgeError("configuration", `${where} ${problem}`, {
    hint: "write the entry by hand; nothing was changed",
  });
}

const lineEndOf = (text: string) => (text.includes("\r\n") ? "\r\n" : "\n");
const lineStart = (text: string, at: number) => text.lastIndexOf("\n", at - 1) + 1;

/** The end of a line, its line end included. */
function nextLine(text: string, at: number): number {
  const found = text.indexOf("\n", at);
  return found < 0 ? text.length : found + 1;
}

async function parsed(text: string): Promise<Document> {
  const { parseDocument } = await import("yaml");
  return parseDocument(text, { prettyErrors: false });
}

async function sectionOf(text: string, { key, where }: SectionPlace): Promise<Section | undefined> {
  const { isMap, isSeq } = await import("yaml");
  const { contents } = await parsed(text);
  if (contents === null) return undefined;
  if (!isMap(contents)) throw refuse(where, "is not a map");
  const pair = contents.items.find((item) => String((item.key as Scalar).value) === key) as
    | Section["pair"]
    | undefined;
  if (pair === undefined) return undefined;
  const { value } = pair;
  if (value !== null && (isMap(value) || isSeq(value))) {
    return { pair, value: value as NonNullable<Section["value"]> };
  }
  if (value === null || (value as Scalar).value === null) return { pair, value: undefined };
  throw refuse(where, `has a ${key} that is neither a list nor a map`);
}

/** A value as lines of YAML, each with this indentation and line end. */
async function linesOf(value: unknown, indent: string, lineEnd: string): Promise<string> {
  const { stringify } = await import("yaml");
  const lines = stringify(value, { lineWidth: 0, indentSeq: true }).trimEnd().split("\n");
  return lines.map((line) => indent + line + lineEnd).join("");
}

/** The lines of a section's item: offsets of the first line's start and the last line's end, and their indentation. */
interface LineRange {
  readonly start: number;
  readonly end: number;
  readonly indent: string;
}

/** End offset of a node without the white space after it. */
function contentEnd(text: string, node: Node): number {
  const [start, end] = node.range ?? [0, 0];
  return start + text.slice(start, end).trimEnd().length;
}

function lineRangeOf(text: string, where: string, { value }: Section, at: number): LineRange {
  const item = value?.items[at] as Node | Pair<Scalar, Node> | undefined;
  const isPair = item !== undefined && "key" in item;
  const first = isPair ? item.key.range?.[0] : (item as Node | undefined)?.range?.[0];
  if (item === undefined || first === undefined)
    throw refuse(where, "has an entry in a form that the bridge cannot edit");
  // A list item begins at its dash, which may be in an earlier line than its value.
  const start = lineStart(text, isPair ? first : text.lastIndexOf("-", first - 1));
  const indent = /^[ \t]*/.exec(text.slice(start))![0];
  const last = isPair ? (item.value ?? item.key) : (item as Node);
  return { start, end: nextLine(text, Math.max(contentEnd(text, last) - 1, first)), indent };
}

/** Index of the item with this name in the section; -1 if there is none. */
function indexOf({ value }: Section, name: string): number {
  return (value?.items ?? []).findIndex((item) => {
    if ("key" in item) return String((item.key as Scalar).value) === name;
    const fields = "items" in item ? (item as YAMLMap<Scalar, Scalar>).items : [];
    return fields.some(({ key, value: text }) => key.value === "name" && text?.value === name);
  });
}

/** The edited text, without its final line end if the text before had none. */
function withEndOf(text: string, after: string): string {
  return text === "" || text.endsWith("\n") ? after : after.replace(/\r?\n$/, "");
}

/** Sets the server with this name in a section, which is a list or a map. Throws `configuration`. */
export async function setYaml(
  text: string,
  place: SectionPlace & { readonly isList: boolean },
  name: string,
  value: unknown,
): Promise<string> {
  return withEndOf(text, await withServer(text, place, name, value));
}

async function withServer(
  text: string,
  place: SectionPlace & { readonly isList: boolean },
  name: string,
  value: unknown,
): Promise<string> {
  const { key, isList, where } = place;
  const lineEnd = lineEndOf(text);
  const whole = isList ? [value] : { [name]: value };
  const found = await sectionOf(text, place);
  if (found === undefined) {
    const before = text === "" || text.endsWith("\n") ? text : text + lineEnd;
    return before + (await linesOf({ [key]: whole }, "", lineEnd));
  }
  const { value: items, pair } = found;
  if (items === undefined || items.items.length === 0) {
    const start = lineStart(text, pair.key.range?.[0] ?? 0);
    const end = pair.value?.range?.[1] ?? pair.key.range?.[1] ?? start;
    const head = text.slice(start, text.indexOf(":", pair.key.range?.[1] ?? start) + 1);
    const rest = text.slice(Math.max(end, start + head.length));
    const lines = (await linesOf(whole, "  ", lineEnd)).slice(0, -lineEnd.length);
    const tail = rest.startsWith("\n") || rest.startsWith("\r") ? rest : lineEnd + rest.trimStart();
    return text.slice(0, start) + head + lineEnd + lines + tail;
  }
  if (items.flow) throw refuse(where, `has ${key} in flow style, in one line`);
  const at = indexOf(found, name);
  if (at >= 0) {
    const { start, end, indent } = lineRangeOf(text, where, found, at);
    return text.slice(0, start) + (await linesOf(whole, indent, lineEnd)) + text.slice(end);
  }
  const { end, indent } = lineRangeOf(text, where, found, items.items.length - 1);
  const before = text.slice(0, end);
  const head = before.endsWith("\n") ? before : before + lineEnd;
  return head + (await linesOf(whole, indent, lineEnd)) + text.slice(end);
}

/** Removes the server with this name from a section. Throws `configuration`. */
export async function removeYaml(text: string, place: SectionPlace, name: string): Promise<string> {
  const { key, where } = place;
  const found = await sectionOf(text, place);
  const at = found === undefined ? -1 : indexOf(found, name);
  if (found?.value === undefined || at < 0) return text;
  if (found.value.flow) throw refuse(where, `has ${key} in flow style, in one line`);
  const { start, end } = lineRangeOf(text, where, found, at);
  if (found.value.items.length > 1) return withEndOf(text, text.slice(0, start) + text.slice(end));
  // Without its last item the section would be null, which clients refuse: write an empty list or map.
  const isList = !("key" in found.value.items[0]!);
  const head = text.slice(0, start).replace(/(\r?\n)$/, ` ${isList ? "[]" : "{}"}$1`);
  return head + text.slice(end);
}
