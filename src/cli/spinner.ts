import { isatty } from "node:tty";
import type { Environment } from "../platform/paths.ts";
import { isRich } from "./terminal.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 80;

/** An animated progress mark on stderr. Not Clack's spinner, which ends the process on Ctrl-C with exit code 0. */
export class Spinner {
  readonly #isDrawn: boolean;
  #message: string;
  #timer: Timer | undefined;

  constructor(env: Environment, message = "") {
    this.#isDrawn = isatty(1) && isRich(env);
    this.#message = message;
  }

  /** Shows another message from the next frame on; one line, cleaned. */
  update(message: string): void {
    this.#message = message;
  }

  start(): void {
    if (!this.#isDrawn) return;
    let count = 0;
    this.#timer = setInterval(() => {
      const frame = frames[count++ % frames.length];
      Bun.write(Bun.stderr, `\r\u001b[2K${frame} ${this.#message}`);
    }, frameMs);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    Bun.write(Bun.stderr, "\r\u001b[2K");
  }
}
