import type { Node } from "jsonc-parser";
import { BridgeError } from "../../wire/errors.ts";
import { parseJsonTree } from "./document.ts";

// Edits JSON with comments; every byte outside of the edited property is kept.

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function apply(text: string, edits: readonly Edit[]): string {
  let out = "";
  let at = 0;
  for (const { start, end, text: inserted } of edits.toSorted((a, b) => a.start - b.start)) {
    out += text.slice(at, start) + inserted;
    at = end;
  }
  return out + text.slice(at);
}

/** Indentation and line ends of a text. */
class Style {
  readonly #text: string;
  readonly lineEnd: "\n" | "\r\n";
  readonly unit: string;

  /** `whole`: the style of the file, if `text` is only a part of the file. */
  constructor(text: string, whole?: Style) {
    this.#text = text;
    this.lineEnd = whole?.lineEnd ?? (/\r\n/.test(text) ? "\r\n" : "\n");
    this.unit = whole?.unit ?? /\{\s*?\r?\n([ \t]+)["/]/.exec(text)?.[1] ?? "  ";
  }

  /** The white space at the beginning of the line that contains an offset. */
  indentAt(at: number): string {
    const start = this.#text.lastIndexOf("\n", at - 1) + 1;
    return /^[ \t]*/.exec(this.#text.slice(start, at))![0];
  }

  /** Whether only white space precedes an offset in its line, which is not the first line. */
  beginsLine(at: number): boolean {
    const start = this.#text.lastIndexOf("\n", at - 1) + 1;
    return start > 0 && this.#text.slice(start, at).trim() === "";
  }

  render(value: unknown, indent: string): string {
    const lines = JSON.stringify(value, null, this.unit).split("\n");
    return lines.join(this.lineEnd + indent);
  }
}

/** Offset of the next character that is neither white space nor in a comment. */
function skipTrivia(text: string, from: number): number {
  const trivia = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  trivia.lastIndex = from;
  trivia.exec(text);
  return trivia.lastIndex;
}

const endOf = ({ offset, length }: Node) => offset + length;

function propertyOf(object: Node, key: string): Node | undefined {
  return object.children?.find((property) => property.children?.[0]?.value === key);
}

function notAnObject(where: string, keys: readonly string[]): BridgeError {
  const subject = keys.length === 0 ? where : `${where}: ${keys.join(".")}`;
  return new BridgeError("configuration", `${subject} is not a JSON object`, {
    hint: "correct it by hand; nothing was changed",
  });
}

/** The edits that append a property to an object. */
function appendProperty(
  text: string,
  object: Node,
  key: string,
  value: unknown,
  style: Style,
): Edit[] {
  const close = endOf(object) - 1;
  const last = object.children?.at(-1);
  const isInline = !text.slice(object.offset, close).includes("\n");
  const property = (indent: string) => `${JSON.stringify(key)}: ${style.render(value, indent)}`;
  const inline = `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
  if (last === undefined) {
    const indent = style.indentAt(object.offset);
    const inner = style.lineEnd + indent + style.unit + property(indent + style.unit);
    const isEmpty = text.slice(object.offset + 1, close).trim() === "";
    if (!isEmpty) return [{ start: object.offset + 1, end: object.offset + 1, text: inner }];
    const isMinified = !text.trim().includes("\n") && text.trim().length > 2;
    const whole = isMinified ? inline : inner + style.lineEnd + indent;
    return [{ start: object.offset + 1, end: close, text: whole }];
  }
  const end = endOf(last);
  const comma = skipTrivia(text, end);
  const hasComma = text[comma] === ",";
  const from = hasComma ? comma + 1 : end;
  if (isInline) {
    const edit = hasComma ? ` ${inline},` : `, ${inline}`;
    return [{ start: from, end: from, text: edit }];
  }
  // A comment in the line of the last property stays in that line.
  const comment = /^[ \t]*(?:\/\/[^\n\r]*|\/\*[^\n]*?\*\/[ \t]*)(?=\r?\n)/.exec(text.slice(from));
  const at = from + (comment?.[0].length ?? 0);
  const indent = style.beginsLine(last.offset)
    ? style.indentAt(last.offset)
    : style.indentAt(object.offset) + style.unit;
  const line = style.lineEnd + indent + property(indent);
  if (hasComma) return [{ start: at, end: at, text: `${line},` }];
  if (at === end) return [{ start: at, end: at, text: `,${line}` }];
  return [
    { start: end, end, text: "," },
    { start: at, end: at, text: line },
  ];
}

/** Start offset for removing a property: includes the blanks, and the line end, before it. */
function cutStart(text: string, at: number): number {
  const blank = /(?:\r?\n)?[ \t]*$/.exec(text.slice(0, at))!;
  return blank.index;
}

/** The edits that remove a property, with one of the commas beside it. */
function removeProperty(text: string, object: Node, property: Node): Edit[] {
  const siblings = object.children ?? [];
  const end = endOf(property);
  const start = cutStart(text, property.offset);
  const comma = skipTrivia(text, end);
  if (text[comma] === ",") return [{ start, end: comma + 1, text: "" }];
  const previous = siblings[siblings.indexOf(property) - 1];
  if (previous === undefined) {
    const open = object.offset + 1;
    const close = endOf(object) - 1;
    const rest = text.slice(open, start) + text.slice(end, close);
    return rest.trim() === ""
      ? [{ start: open, end: close, text: "" }]
      : [{ start, end, text: "" }];
  }
  const before = skipTrivia(text, endOf(previous));
  return [
    { start: before, end: before + 1, text: "" },
    { start: Math.max(start, before + 1), end, text: "" },
  ];
}

/** Sets the property at `path`, creating missing parent objects. Throws `configuration`. */
export async function setJson(
  text: string,
  path: readonly string[],
  value: unknown,
  where: string,
  whole?: Style,
): Promise<string> {
  const style = new Style(text, whole);
  const root = await parseJsonTree(text, where);
  if (root === undefined) {
    const document = path.toReversed().reduce((inner: unknown, key) => ({ [key]: inner }), value);
    return `${text.trim() === "" ? "" : text}${JSON.stringify(document, null, 2)}\n`;
  }
  let object = root;
  for (const [at, key] of path.entries()) {
    if (object.type !== "object") throw notAnObject(where, path.slice(0, at));
    const property = propertyOf(object, key);
    const node = property?.children?.[1];
    const rest = path.slice(at + 1);
    if (property === undefined || node === undefined) {
      const inner = rest.toReversed().reduce((sum: unknown, each) => ({ [each]: sum }), value);
      return apply(text, appendProperty(text, object, key, inner, style));
    }
    const isNull = node.type === "null";
    if (rest.length > 0 && !isNull) {
      object = node;
      continue;
    }
    // A section that is null is empty.
    const nested = rest.toReversed().reduce((inner: unknown, each) => ({ [each]: inner }), value);
    const isInline = !text.slice(object.offset, endOf(object)).includes("\n");
    const rendered = isInline
      ? JSON.stringify(nested)
      : style.render(nested, style.indentAt(property.offset));
    return apply(text, [{ start: node.offset, end: endOf(node), text: rendered }]);
  }
  return text;
}

/** Removes the property at `path`; its parent objects are kept, even if empty. Throws `configuration`. */
export async function removeJson(
  text: string,
  path: readonly string[],
  where: string,
): Promise<string> {
  let object = await parseJsonTree(text, where);
  for (const [at, key] of path.entries()) {
    const property = object?.type === "object" ? propertyOf(object, key) : undefined;
    if (object === undefined || property === undefined) return text;
    if (at === path.length - 1) return apply(text, removeProperty(text, object, property));
    object = property.children?.[1];
  }
  return text;
}

/** Properties to set in, and to remove from, the object at `path`, which must exist. */
export interface ObjectChange {
  readonly path: readonly string[];
  readonly set: Readonly<Record<string, unknown>>;
  readonly remove: readonly string[];
}

/** Changes existing objects, each within its own part of the text, so that a large file is parsed once. Throws `configuration`. */
export async function changeJson(
  text: string,
  changes: readonly ObjectChange[],
  where: string,
): Promise<string> {
  const root = await parseJsonTree(text, where);
  const style = new Style(text);
  const edits: Edit[] = [];
  for (const { path, set, remove } of changes) {
    let object = root;
    for (const key of path) object = object && propertyOf(object, key)?.children?.[1];
    if (object?.type !== "object") throw notAnObject(where, path);
    const [start, end] = [object.offset, endOf(object)];
    // The indentation of its line is put before the object, so that Style indents the properties as in the file.
    const indent = style.indentAt(start);
    let piece = indent + text.slice(start, end);
    for (const [key, value] of Object.entries(set)) {
      piece = await setJson(piece, [key], value, where, style);
    }
    for (const key of remove) piece = await removeJson(piece, [key], where);
    edits.push({ start, end, text: piece.slice(indent.length) });
  }
  return apply(text, edits);
}
