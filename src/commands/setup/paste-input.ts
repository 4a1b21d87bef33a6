import { PassThrough } from "node:stream";

/** What becomes of the line breaks in a paste: they would end the answer, and the rest would answer the next question. */
export type PasteMode =
  /** The lines are joined: a token that the terminal wrapped. */
  | "join"
  /** A line break becomes a blank: a command or an entry of several lines. */
  | "space"
  /** The paste is dropped: the question takes no text. */
  | "drop";

// Bracketed paste (xterm control sequences): the terminal marks the beginning and the end of a paste.
const turnOn = "\u001b[?2004h";
const turnOff = "\u001b[?2004l";
/** How long the rest of a mark may take; a person waits this long after Escape. */
const markMs = 50;
const begin = "\u001b[200~";
const end = "\u001b[201~";

/** Keys as they are typed, and pastes as `mode` says. Marks may come in pieces. */
export class PasteFilter {
  readonly #mode: PasteMode;
  #isPasting = false;
  #rest = "";

  constructor(mode: PasteMode) {
    this.#mode = mode;
  }

  feed(chunk: string): string {
    let text = this.#rest + chunk;
    let out = "";
    for (;;) {
      const mark = this.#isPasting ? end : begin;
      const at = text.indexOf(mark);
      if (at < 0) break;
      out += this.#pass(text.slice(0, at));
      text = text.slice(at + mark.length);
      this.#isPasting = !this.#isPasting;
    }
    // What may be the beginning of a mark is held back until the rest of it comes, or flush() is called.
    const mark = this.#isPasting ? end : begin;
    let held = Math.min(text.length, mark.length - 1);
    while (!mark.startsWith(text.slice(text.length - held))) held--;
    this.#rest = text.slice(text.length - held);
    return out + this.#pass(text.slice(0, text.length - held));
  }

  /** What feed() held back: an Escape is also a key. */
  flush(): string {
    const rest = this.#rest;
    this.#rest = "";
    return this.#pass(rest);
  }

  #pass(text: string): string {
    if (!this.#isPasting || text === "") return text;
    if (this.#mode === "drop") return "";
    return this.#mode === "join" ? text.replace(/\s+/g, "") : text.replace(/[\r\n\t]/g, " ");
  }
}

/** Lets `ask` read the terminal through a filter of pastes, and gives it back afterwards. */
export async function withPastes<T>(
  mode: PasteMode,
  ask: (input: PassThrough) => Promise<T>,
): Promise<T> {
  const filter = new PasteFilter(mode);
  const decoder = new TextDecoder();
  const { stdin } = process;
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => stdin.setRawMode(isRaw),
  });
  let timer: Timer | undefined;
  const pass = (chunk: Uint8Array) => {
    clearTimeout(timer);
    input.write(filter.feed(decoder.decode(chunk, { stream: true })));
    timer = setTimeout(() => input.write(filter.flush()), markMs);
  };
  const close = () => input.end();
  stdin.on("data", pass).on("end", close).resume();
  process.stderr.write(turnOn);
  try {
    return await ask(input);
  } finally {
    clearTimeout(timer);
    process.stderr.write(turnOff);
    stdin.off("data", pass).off("end", close).pause();
  }
}
