/** A cell of a terminal: a character and the classes of its style. */
interface Cell {
  readonly character: string;
  readonly style: string;
}

const colours = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** The subset of a terminal that prompts use: text, colours, cursor moves and erasing. */
export class Screen {
  readonly #rows: Cell[][] = [[]];
  readonly #columns: number;
  #row = 0;
  #column = 0;
  #style = new Set<string>();
  #rest = "";

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** The rows, without the empty ones at the end. */
  get rows(): readonly (readonly Cell[])[] {
    const last = this.#rows.findLastIndex((row) => row.some(({ character }) => character !== " "));
    return this.#rows.slice(0, last + 1);
  }

  /** The rows as text. */
  get text(): string {
    const lines = this.rows.map((row) =>
      row
        .map(({ character }) => character)
        .join("")
        .trimEnd(),
    );
    return lines.join("\n");
  }

  write(text: string): void {
    const all = this.#rest + text;
    const token = /\u001b\[([?\d;]*)([A-Za-z])|\u001b\][^\u0007]*\u0007|\u001b[^[\]]|[^\u001b]/gu;
    let end = 0;
    for (const match of all.matchAll(token)) {
      if (match.index !== end) break;
      end = match.index + match[0].length;
      if (match[2] !== undefined) this.#control(match[1]!, match[2]);
      else if (!match[0].startsWith("\u001b")) this.#put(match[0]);
    }
    this.#rest = all.slice(end);
  }

  #put(character: string): void {
    if (character === "\n") this.#row++;
    else if (character === "\r") this.#column = 0;
    else if (character >= " ") {
      if (this.#column >= this.#columns) {
        this.#column = 0;
        this.#row++;
      }
      const row = this.#line();
      while (row.length < this.#column) row.push({ character: " ", style: "" });
      row[this.#column++] = { character, style: [...this.#style].join(" ") };
    }
    this.#line();
  }

  #line(): Cell[] {
    while (this.#rows.length <= this.#row) this.#rows.push([]);
    return this.#rows[this.#row]!;
  }

  #control(parameters: string, code: string): void {
    const count = Number(parameters || 1);
    if (code === "A") this.#row = Math.max(0, this.#row - count);
    else if (code === "B") this.#row += count;
    else if (code === "C") this.#column += count;
    else if (code === "D") this.#column = Math.max(0, this.#column - count);
    else if (code === "G") this.#column = count - 1;
    else if (code === "J") this.#erase(parameters);
    else if (code === "K") this.#line().splice(parameters === "2" ? 0 : this.#column);
    else if (code === "m") for (const part of parameters.split(";")) this.#paint(Number(part));
  }

  #erase(parameters: string): void {
    this.#line().splice(this.#column);
    if (parameters === "" || parameters === "0") this.#rows.splice(this.#row + 1);
  }

  #paint(code: number): void {
    const set = (style: string, group: RegExp) => {
      for (const one of this.#style) if (group.test(one)) this.#style.delete(one);
      if (style !== "") this.#style.add(style);
    };
    if (code === 0) this.#style.clear();
    else if (code === 1) this.#style.add("bold");
    else if (code === 2) this.#style.add("dim");
    else if (code === 22) set("", /^(bold|dim)$/);
    else if (code === 7) this.#style.add("inverse");
    else if (code === 27) this.#style.delete("inverse");
    else if (code >= 30 && code <= 37) set(colours[code - 30]!, /^(?!bold|dim|inverse)/);
    else if (code >= 90 && code <= 97)
      set(code === 90 ? "gray" : colours[code - 90]!, /^(?!bold|dim|inverse)/);
    else if (code === 39) set("", /^(?!bold|dim|inverse)/);
  }
}
