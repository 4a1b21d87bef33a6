import { createInterface } from "node:readline";
import { askPassphrase } from "../../cli/passphrase-prompt.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { AsksUser, Check, Option } from "./prompts.ts";

/** The questions as plain lines, for a terminal without colours and cursor movements (NO_COLOR, TERM=dumb, locale C). */
export class PlainPrompts implements AsksUser {
  constructor(title: string) {
    console.warn(title);
  }

  async text(message: string, check: Check, initial = ""): Promise<string> {
    const shown = initial === "" ? message : `${message} [${initial}]`;
    return this.#askUntilValid(async () => (await readLine(`${shown} `)) || initial, check);
  }

  secret(message: string, check: Check): Promise<string> {
    return this.#askUntilValid(() => askPassphrase(`${message} `), check);
  }

  async choice<const T extends string>(
    message: string,
    options: readonly Option<T>[],
    initial?: T,
  ): Promise<T> {
    console.warn(message);
    options.forEach(({ label, hint }, at) => {
      console.warn(`  ${at + 1}. ${label}${hint === undefined ? "" : ` (${hint})`}`);
    });
    const initialIndex = Math.max(
      0,
      options.findIndex(({ value }) => value === initial),
    );
    const chosen = (answer: string) => options[Number(answer) - 1];
    const answer = await this.text(
      `1 to ${options.length}?`,
      (text) => (chosen(text) === undefined ? `expected 1 to ${options.length}` : undefined),
      String(initialIndex + 1),
    );
    return chosen(answer)!.value;
  }

  async yes(message: string, initial = true): Promise<boolean> {
    const answer = await this.text(
      `${message} (y or n)`,
      (text) => (/^(y|yes|n|no)$/i.test(text) ? undefined : "expected y or n"),
      initial ? "y" : "n",
    );
    return /^y/i.test(answer);
  }

  async busy<T>(message: string, work: () => Promise<T>): Promise<T> {
    console.warn(`${message} ...`);
    return work();
  }

  success(line: string): void {
    console.warn(line);
  }

  failure(line: string): void {
    console.warn(line);
  }

  info(line: string): void {
    console.warn(line);
  }

  end(steps: readonly string[], farewell: string): void {
    if (steps.length > 0) console.warn(`\nNext steps:\n${steps.join("\n")}\n`);
    console.warn(farewell);
  }

  release(): void {}

  /** Repeats the question until the answer passes the check. */
  async #askUntilValid(ask: () => Promise<string>, check: Check): Promise<string> {
    for (;;) {
      const answer = (await ask()).trim();
      const problem = check(answer);
      if (problem === undefined) return answer;
      console.warn(problem);
    }
  }
}

/** Reads one line of the terminal and drops further pasted lines. Rejects with `cancelled` at the end of input. */
function readLine(question: string): Promise<string> {
  const reader = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: false,
  });
  return new Promise((resolve, reject) => {
    reader.on("close", () => {
      reject(new BridgeError("cancelled", "setup was cancelled: nothing more was saved"));
    });
    reader.question(question, (answer) => {
      resolve(answer);
      reader.close();
      process.stdin.pause();
    });
  });
}
