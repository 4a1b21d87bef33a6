import type * as Clack from "@clack/prompts";
import { Spinner } from "../../cli/spinner.ts";
import { BridgeError } from "../../wire/errors.ts";
import { withPastes } from "./paste-input.ts";

/** Checks an answer: undefined if it is valid, else the problem in words. */
export type Check = (answer: string) => string | undefined;

export interface Option<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly hint?: string;
}

/** The wizard's questions and messages. Every question throws `cancelled` when the user leaves. */
export interface AsksUser {
  text(message: string, check: Check, initial?: string, placeholder?: string): Promise<string>;
  /** Asks for a text that is not shown while it is typed. */
  secret(message: string, check: Check): Promise<string>;
  choice<const T extends string>(
    message: string,
    options: readonly Option<T>[],
    initial?: T,
  ): Promise<T>;
  yes(message: string, initial?: boolean): Promise<boolean>;
  /** Shows a progress mark until `work` settles. */
  busy<T>(message: string, work: () => Promise<T>): Promise<T>;
  success(line: string): void;
  failure(line: string): void;
  info(line: string): void;
  end(steps: readonly string[], farewell: string): void;
  /** Restores the terminal mode, before a command runs or the wizard ends. */
  release(): void;
}

/** Asks in the terminal. Questions are drawn on stderr, because stdout is for results. */
export class Prompts implements AsksUser {
  readonly #clack: typeof Clack;
  readonly #output = { output: process.stderr };
  readonly #setRawMode = process.stdin.setRawMode.bind(process.stdin);

  private constructor(clack: typeof Clack) {
    this.#clack = clack;
    // Clack turns raw mode off after each question. The terminal would then echo text that was pasted ahead, perhaps a token.
    // Here raw mode stays on until release().
    process.stdin.setRawMode = (isRaw) => (isRaw ? this.#setRawMode(true) : process.stdin);
  }

  /** Loads clack, which no other command needs. */
  static async open(title: string): Promise<Prompts> {
    const clack = await import("@clack/prompts");
    const prompts = new Prompts(clack);
    clack.intro(title, prompts.#output);
    return prompts;
  }

  async text(message: string, check: Check, initial = "", placeholder = ""): Promise<string> {
    const answer = await withPastes("space", (input) =>
      this.#clack.text({
        ...this.#output,
        input,
        message,
        initialValue: initial,
        placeholder,
        validate: (value) => check((value ?? "").trim()),
      }),
    );
    return this.#valueOf(answer).trim();
  }

  async secret(message: string, check: Check): Promise<string> {
    const answer = await withPastes("join", (input) =>
      this.#clack.password({
        ...this.#output,
        input,
        message,
        validate: (value) => check((value ?? "").trim()),
      }),
    );
    return this.#valueOf(answer).trim();
  }

  async choice<const T extends string>(
    message: string,
    options: readonly Option<T>[],
    initial?: T,
  ): Promise<T> {
    const answer = await withPastes("drop", (input) =>
      this.#clack.select<string>({
        ...this.#output,
        input,
        message,
        options: [...options],
        ...(initial !== undefined && { initialValue: initial }),
      }),
    );
    return this.#valueOf(answer) as T;
  }

  async yes(message: string, initial = true): Promise<boolean> {
    const answer = await withPastes("drop", (input) =>
      this.#clack.confirm({ ...this.#output, input, message, initialValue: initial }),
    );
    return this.#valueOf(answer);
  }

  async busy<T>(message: string, work: () => Promise<T>): Promise<T> {
    const spinner = new Spinner(process.env, message);
    spinner.start();
    try {
      return await work();
    } finally {
      spinner.stop();
    }
  }

  success(line: string): void {
    this.#clack.log.success(line, this.#output);
  }

  failure(line: string): void {
    this.#clack.log.error(line, this.#output);
  }

  info(line: string): void {
    this.#clack.log.info(line, this.#output);
  }

  end(steps: readonly string[], farewell: string): void {
    // Not through clack, which draws a frame beside every line: the user copies these lines.
    if (steps.length > 0) console.warn(`\nNext steps:\n${steps.join("\n")}\n`);
    this.#clack.outro(farewell, this.#output);
  }

  release(): void {
    this.#setRawMode(false);
  }

  /** The answer. Throws `cancelled` if the user left the question. */
  #valueOf<T>(answer: T | typeof Clack.CANCEL_SYMBOL): T {
    if (!this.#clack.isCancel(answer)) return answer;
    throw new BridgeError("cancelled", "setup was cancelled: nothing more was saved");
  }
}
