import type { Node } from "jsonc-parser";
import { BridgeError } from "../../wire/errors.ts";
import { parseJsonTree } from "./document.ts";

// Edits of JSON with comments that leave every byte outside of the edited property as it is.

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

/** How a text indents and ends its lines. */
class Style {
  readonly #text: string;
  readonly lineEnd: "\n" | "\r\n";
  readonly unit: string;

  /** `whole`: the style of the text that this one is a part of. */
  constructor(text: string, whole?: Style) {
    this.#text = text;
    this.lineEnd = whole?.lineEnd ?? (/\r\n/.test(text) ? "\r\n" : "\n");
    this.unit = whole?.unit ?? /\{\s*?\r?\n([ \t]+)["/]/.exec(text)?.[1] ?? "  ";
  }

  /** The white space with which the line of a place begins. */
  indentAt(at: number): string {
    const start = this.#text.lastIndexOf("\n", at - 1) + 1;
    return /^[ \t]*/.exec(this.#text.slice(start, at))![0];
  }

  /** Whether nothing but white space stands before a place in its line. */
  beginsLine(at: number): boolean {
    const start = this.#text.lastIndexOf("\n", at - 1) + 1;
    return start > 0 && this.#text.slice(start, at).trim() === "";
  }

  render(value: unknown, indent: string): string {
    const lines = JSON.stringify(value, null, this.unit).split("\n");
    return lines.join(this.lineEnd + indent);
  }
}

/** The place of the next character that is neither white space nor comment. */
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

function notAnObject(keys: readonly string[]): BridgeError {
  const message = keys.length === 0 ? "the file is" : `${keys.join(".")} is`;
  return new BridgeError("configuration", `${message} no JSON object`, {
    hint: "correct it by hand; nothing was changed",
  });
}

function inserted(text: string, object: Node, key: string, value: unknown, style: Style): Edit[] {
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
  // A comment behind the last property stays with it.
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

/** Where a property's cut begins: with its line's end before it, or with the blanks before it. */
function cutStart(text: string, at: number): number {
  const blank = /(?:\r?\n)?[ \t]*$/.exec(text.slice(0, at))!;
  return blank.index;
}

function removed(text: string, object: Node, property: Node): Edit[] {
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

/** Sets the property at `path`, making the objects that lead there. Throws `configuration`. */
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
    const whole = path.toReversed().reduce((inner: unknown, key) => ({ [key]: inner }), value);
    return `${text.trim() === "" ? "" : text}${JSON.stringify(whole, null, 2)}\n`;
  }
  let object = root;
  for (const [at, key] of path.entries()) {
    if (object.type !== "object") throw notAnObject(path.slice(0, at));
    const property = propertyOf(object, key);
    const node = property?.children?.[1];
    const rest = path.slice(at + 1);
    if (property === undefined || node === undefined) {
      const inner = rest.toReversed().reduce((sum: unknown, each) => ({ [each]: sum }), value);
      return apply(text, inserted(text, object, key, inner, style));
    }
    if (rest.length > 0) {
      object = node;
      continue;
    }
    const isInline = !text.slice(object.offset, endOf(object)).includes("\n");
    const rendered = isInline
      ? JSON.stringify(value)
      : style.render(value, style.indentAt(property.offset));
    return apply(text, [{ start: node.offset, end: endOf(node), text: rendered }]);
  }
  return text;
}

/** Takes the property at `path` out; the objects that lead there stay. Throws `configuration`. */
export async function removeJson(
  text: string,
  path: readonly string[],
  where: string,
): Promise<string> {
  let object = await parseJsonTree(text, where);
  for (const [at, key] of path.entries()) {
    const property = object?.type === "object" ? propertyOf(object, key) : undefined;
    if (object === undefined || property === undefined) return text;
    if (at === path.length - 1) return apply(text, removed(text, object, property));
    object = property.children?.[1];
  }
  return text;
}

/** Properties to set in and to take out of the object at `path`, which is there. */
export interface ObjectChange {
  readonly path: readonly string[];
  readonly set: Readonly<Record<string, unknown>>;
  readonly remove: readonly string[];
}

/** Changes objects that are there, each in its own piece of the text: a large file is read once. Throws `configuration`. */
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
    if (object?.type !== "object") throw notAnObject(path);
    const [start, end] = [object.offset, endOf(object)];
    // The white space of its line tells how deep the object stands.
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
