import { programWords } from "./program.ts";

/** Longest wait for a screen. */
const patienceMs = 10_000;

/** The program in a terminal of its own, driven by key presses. */
export class Session implements AsyncDisposable {
  readonly #child: Bun.Subprocess;
  readonly #decoder = new TextDecoder();
  #raw = "";
  #seen = 0;
  #wake: (() => void) | undefined;

  constructor(
    words: readonly string[],
    env: Readonly<Record<string, string>>,
    { program = programWords, ...place }: { program?: readonly string[]; cwd?: string } = {},
  ) {
    this.#child = Bun.spawn([...program, ...words], {
      ...place,
      env: { PATH: process.env.PATH ?? "", TERM: "xterm-256color", ...env },
      terminal: {
        cols: 120,
        rows: 60,
        data: (_, bytes) => {
          this.#raw += this.#decoder.decode(bytes, { stream: true });
          this.#wake?.();
        },
      },
    });
    this.#child.exited.then(() => this.#wake?.());
  }

  /** Everything shown so far, without escape codes. */
  get shown(): string {
    return Bun.stripANSI(this.#raw);
  }

  /** Everything shown so far, with escape codes. */
  get painted(): string {
    return this.#raw;
  }

  /** Waits until `text` appears after the text of the last call. */
  async sees(text: string): Promise<void> {
    const deadline = AbortSignal.timeout(patienceMs);
    deadline.addEventListener("abort", () => this.#wake?.());
    for (;;) {
      const at = this.shown.indexOf(text, this.#seen);
      if (at >= 0) {
        this.#seen = at + text.length;
        return;
      }
      if (this.#child.exitCode !== null || deadline.aborted) {
        throw new Error(`it never showed ${JSON.stringify(text)}, but:\n${this.shown}`);
      }
      await this.#news();
    }
  }

  /** Sends keys unchanged. */
  type(keys: string): void {
    this.#child.terminal?.write(keys);
  }

  /** Waits for a question and answers it with a line. */
  async answers(question: string, line: string): Promise<void> {
    await this.sees(question);
    this.type(`${line}\r`);
  }

  /** The exit code. */
  get ended(): Promise<number> {
    return this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#child.terminal?.close();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export const keys = { down: "\u001b[B", up: "\u001b[A", enter: "\r", interrupt: "\u0003" } as const;
