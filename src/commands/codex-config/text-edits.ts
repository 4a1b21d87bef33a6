import type { AST } from "toml-eslint-parser";

/** A replacement of one piece of a text. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The lines of a text, for edits of whole lines. */
export class Lines {
  readonly #text: string;
  /** The line ending of the text, taken from its first line. */
  readonly lineEnd: "\n" | "\r\n";

  constructor(text: string) {
    this.#text = text;
    const first = text.indexOf("\n");
    this.lineEnd = first > 0 && text[first - 1] === "\r" ? "\r\n" : "\n";
  }

  #start(at: number): number {
    const before = at === 0 ? 0 : this.#text.lastIndexOf("\n", at - 1) + 1;
    // A byte order mark stays where it is.
    return before === 0 && this.#text.startsWith("\ufeff") ? 1 : before;
  }

  /** The end of the line that holds `at`, before its line ending. */
  #end(at: number): number {
    const found = this.#text.indexOf("\n", at);
    if (found < 0) return this.#text.length;
    return this.#text[found - 1] === "\r" && found > at ? found - 1 : found;
  }

  #next(at: number): number {
    const found = this.#text.indexOf("\n", at);
    return found < 0 ? this.#text.length : found + 1;
  }

  /** Removes the lines that hold a range. */
  whole([start, end]: AST.Range): Edit {
    return { start: this.#start(start), end: this.#next(end), text: "" };
  }

  /** The text from the beginning of a range to the end of the line in which it ends. */
  rest([start, end]: AST.Range): string {
    return this.#text.slice(start, this.#end(end));
  }

  /** Replaces that text. */
  replaceRest([start, end]: AST.Range, text: string): Edit {
    return { start, end: this.#end(end), text };
  }

  /** Whether nothing but white space stands before a range in its line. */
  isAlone([start]: AST.Range): boolean {
    return this.#text.slice(this.#start(start), start).trim() === "";
  }

  /** Removes a header table's lines, from its header to its last key, with an empty line before it. */
  section(table: AST.TOMLTable): Edit {
    const { start, end } = this.whole(table.range);
    const before = this.#start(Math.max(start - 1, 0));
    const isBlank = before < start && this.#text.slice(before, start).trim() === "";
    return { start: isBlank ? before : start, end, text: "" };
  }

  /** Adds lines below the one where a range ends, indented like the one where it begins. */
  insertAfter([start, last]: AST.Range, added: readonly string[]): Edit {
    const at = this.#end(last);
    const indent = /^[\t ]*/.exec(this.#text.slice(this.#start(start), start))![0];
    return { start: at, end: at, text: added.map((line) => this.lineEnd + indent + line).join("") };
  }

  /** The text with the edits made; none may overlap another. */
  apply(edits: readonly Edit[]): string {
    let text = "";
    let at = 0;
    for (const edit of edits.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
      text += this.#text.slice(at, edit.start) + edit.text;
      at = edit.end;
    }
    return text + this.#text.slice(at);
  }
}
