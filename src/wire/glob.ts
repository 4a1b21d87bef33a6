// Globs for tool names: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`, `{a,b}`, and `\` before a literal character. `*` matches any
// text, also one with `/` or a leading dot, because a tool's name is no path.

/** Longest glob, in characters. */
const maxGlobLength = 256;

/** Longest text that a glob is tried on: a longer one matches nothing. */
export const maxMatchedLength = 1024;

/** A condition on one character; undefined: the edge consumes none. */
type Test = (char: string) => boolean;

interface Edge {
  readonly test: Test | undefined;
  readonly to: number;
}

/** Visible ASCII without capital letters: such a text is its own folded form. */
const isFolded = /^[!-@[-~]*$/;

/**
 * Makes texts equal that a lenient server may treat as one: case, width and other compatibility forms, accents (a
 * database compares without them), hidden characters, spaces at the ends.
 */
export function foldText(text: string): string {
  if (isFolded.test(text)) return text;
  // First to upper case: U+017F and U+212A then equal "s" and "k", as in the case folding of Unicode.
  const lower = text.normalize("NFKD").toUpperCase().toLowerCase();
  return lower
    .normalize("NFKD")
    .replace(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cs}\p{M}]/gu, "")
    .trim();
}

/** Why `text` is no glob. */
export function globProblem(text: string): string | undefined {
  try {
    new Glob(text);
    return undefined;
  } catch (error) {
    return (error as SyntaxError).message;
  }
}

/** One glob, as a nondeterministic automaton: matching takes time linear in the text, for every glob. */
export class Glob {
  /** The outgoing edges of each state; the first state is the start. */
  readonly #states: Edge[][] = [[]];
  readonly #chars: readonly string[];
  readonly #end: number;
  #at = 0;

  /** Throws SyntaxError with our words if `text` is no glob. */
  constructor(text: string) {
    if (text === "") throw new SyntaxError("expected a glob that is not empty");
    if (text.length > maxGlobLength)
      throw new SyntaxError(`expected a glob of at most ${maxGlobLength} characters`);
    this.#chars = [...text];
    this.#end = this.#sequence(0, false);
  }

  /** Whether the whole text matches. */
  matches(text: string): boolean {
    if (text.length > maxMatchedLength) return false;
    let states = this.#closure([0]);
    for (const char of text) {
      const next: number[] = [];
      for (const state of states)
        for (const { test, to } of this.#states[state]!) if (test?.(char) === true) next.push(to);
      if (next.length === 0) return false;
      states = this.#closure(next);
    }
    return states.has(this.#end);
  }

  /** The states that are reached without a further character. */
  #closure(states: readonly number[]): Set<number> {
    const reached = new Set(states);
    // A Set visits the members that are added during the loop, too.
    for (const state of reached)
      for (const { test, to } of this.#states[state]!) if (test === undefined) reached.add(to);
    return reached;
  }

  #edge(from: number, test: Test | undefined, to = this.#states.push([]) - 1): number {
    this.#states[from]!.push({ test, to });
    return to;
  }

  /** Reads up to the end, or inside of braces up to "," or "}"; returns the last state. */
  #sequence(from: number, isInBraces: boolean): number {
    let state = from;
    while (this.#at < this.#chars.length) {
      const char = this.#chars[this.#at]!;
      if (isInBraces && (char === "," || char === "}")) break;
      this.#at++;
      if (char === "*") {
        state = this.#edge(state, undefined);
        this.#edge(state, () => true, state);
      } else if (char === "?") state = this.#edge(state, () => true);
      else if (char === "[") state = this.#edge(state, this.#charClass());
      else if (char === "{") state = this.#alternatives(state);
      else state = this.#edge(state, isChar(char === "\\" ? this.#escaped() : char));
    }
    return state;
  }

  #alternatives(from: number): number {
    const end = this.#states.push([]) - 1;
    do {
      this.#edge(this.#sequence(this.#edge(from, undefined), true), undefined, end);
    } while (this.#take(",") || !this.#require("}"));
    return end;
  }

  #charClass(): Test {
    const isNegated = this.#take("!") || this.#take("^");
    const ranges: [from: string, to: string][] = [];
    while (ranges.length === 0 || !this.#take("]")) {
      if (this.#chars[this.#at] === "[" && ":.=".includes(this.#chars[this.#at + 1] ?? " "))
        throw new SyntaxError('expected a glob without "[:", "[." or "[="');
      const from = this.#inClass();
      const isRange = this.#chars[this.#at] === "-" && this.#chars[this.#at + 1] !== "]";
      if (isRange) this.#at++;
      const to = isRange ? this.#inClass() : from;
      if (from > to) throw new SyntaxError("expected ranges such as [a-z] in a glob");
      ranges.push([from, to]);
    }
    return (char) => isNegated !== ranges.some(([from, to]) => char >= from && char <= to);
  }

  #inClass(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new SyntaxError('expected a glob with "]" for each "["');
    return char === "\\" ? this.#escaped() : char;
  }

  #escaped(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new SyntaxError('expected a character after "\\" in a glob');
    return char;
  }

  #take(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #require(char: string): true {
    if (this.#take(char)) return true;
    throw new SyntaxError(`expected a glob with "${char}" for each "{"`);
  }
}

const isChar =
  (literal: string): Test =>
  (char) =>
    char === literal;
