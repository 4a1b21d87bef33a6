import type { AST } from "toml-eslint-parser";

/** Replaces the text from offset `start` to offset `end`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Makes edits of a text that respect its lines. */
export class Lines {
  readonly #text: string;
  /** The line ending of the text, taken from its first line. */
  readonly lineEnd: "\n" | "\r\n";

  constructor(text: string) {
    this.#text = text;
    const first = text.indexOf("\n");
    this.lineEnd = first > 0 && text[first - 1] === "\r" ? "\r\n" : "\n";
  }

  /** The start of the line that holds offset `at`. */
  #lineStart(at: number): number {
    const before = at === 0 ? 0 : this.#text.lastIndexOf("\n", at - 1) + 1;
    // A byte order mark stays where it is.
    return before === 0 && this.#text.startsWith("\ufeff") ? 1 : before;
  }

  /** The end of the line that holds offset `at`, before its line ending. */
  #lineStop(at: number): number {
    const found = this.#text.indexOf("\n", at);
    if (found < 0) return this.#text.length;
    return this.#text[found - 1] === "\r" && found > at ? found - 1 : found;
  }

  /** The start of the next line, or the end of the text. */
  #nextLine(at: number): number {
    const found = this.#text.indexOf("\n", at);
    return found < 0 ? this.#text.length : found + 1;
  }

  /** Removes every line that the range touches, with its line ending. */
  removeLines([start, end]: AST.Range): Edit {
    return { start: this.#lineStart(start), end: this.#nextLine(end), text: "" };
  }

  /** The text from the start of the range to the end of its last line. */
  textToLineEnd([start, end]: AST.Range): string {
    return this.#text.slice(start, this.#lineStop(end));
  }

  /** Replaces the text from the start of the range to the end of its last line. */
  replaceToLineEnd([start, end]: AST.Range, text: string): Edit {
    return { start, end: this.#lineStop(end), text };
  }

  /** Whether only white space stands before the range in its line. */
  startsLine([start]: AST.Range): boolean {
    return this.#text.slice(this.#lineStart(start), start).trim() === "";
  }

  /** Removes the lines of a `[table]`, from its header to its last key, and one empty line before the header. */
  removeTable(table: AST.TOMLTable): Edit {
    const { start, end } = this.removeLines(table.range);
    const before = this.#lineStart(Math.max(start - 1, 0));
    const isBlank = before < start && this.#text.slice(before, start).trim() === "";
    return { start: isBlank ? before : start, end, text: "" };
  }

  /** Inserts lines below the last line of the range, indented like its first line. */
  insertAfter([start, last]: AST.Range, added: readonly string[]): Edit {
    const at = this.#lineStop(last);
    const indent = /^[\t ]*/.exec(this.#text.slice(this.#lineStart(start), start))![0];
    return { start: at, end: at, text: added.map((line) => this.lineEnd + indent + line).join("") };
  }

  /** The text after the edits, which must not overlap. */
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
