import { PassThrough } from "node:stream";

/**
 * How the line breaks of a pasted text are handled. Unhandled, the first one would end the answer, and the rest of the text
 * would answer the next question.
 */
export type PasteMode =
  /** Removes all white space: for a token that was copied from wrapped lines. */
  | "join"
  /** Replaces a line break with a space: for a command or an entry of several lines. */
  | "space"
  /** Drops the pasted text: for a question that takes no text. */
  | "drop";

// Bracketed paste (xterm control sequences): the terminal marks the beginning and the end of a paste.
const turnOn = "\u001b[?2004h";
const turnOff = "\u001b[?2004l";
/** Longest wait for the rest of a mark. The Escape key, with which a mark begins, takes effect after this time. */
const markMs = 50;
const begin = "\u001b[200~";
const end = "\u001b[201~";

/** Passes typed keys unchanged and pasted text as `mode` says. A mark may be split over several chunks. */
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
    // A tail that may be the beginning of a mark is held back until more text comes or flush() is called.
    const mark = this.#isPasting ? end : begin;
    let held = Math.min(text.length, mark.length - 1);
    while (!mark.startsWith(text.slice(text.length - held))) held--;
    this.#rest = text.slice(text.length - held);
    return out + this.#pass(text.slice(0, text.length - held));
  }

  /** Returns the text that feed() held back: a single Escape is the Escape key. */
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

/** Lets `ask` read the terminal through a PasteFilter, and turns bracketed paste off afterwards. */
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
