import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { programOnPath, runToEnd } from "../platform/exec.ts";
import { BridgeError } from "../wire/errors.ts";

/** Maximum length of a terminal line on Linux (N_TTY_BUF_SIZE). */
const maxLineBytes = 4096;
/** Interval between two reads of the terminal. */
const pollMs = 20;
const endSignals = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/** The first line of an open file descriptor. Throws `usage` if it cannot be read. */
export function passphraseFrom(fd: number): string {
  let text: string;
  try {
    text = readFileSync(fd, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new BridgeError("usage", `file descriptor ${fd} cannot be read (${code})`, {
      hint: "open it in the shell, such as 3<file",
    });
  }
  return text.split("\n")[0]!.replace(/\r$/, "");
}

/** Asks on /dev/tty, even if stdin and stdout are redirected, with echo off. Throws `usage` without a terminal. */
export async function askPassphrase(question: string): Promise<string> {
  const stty = programOnPath("stty", process.env.PATH);
  if (stty === undefined) {
    throw new BridgeError(
      "usage",
      "the program stty, which hides a typed passphrase, is not on PATH",
      {
        hint: "use --passphrase-fd N",
      },
    );
  }
  let fd: number;
  let input: number;
  try {
    fd = openSync("/dev/tty", "r+");
    // Non-blocking, so that a signal handler can turn the echo on again during a read. A second descriptor, because stty makes
    // the descriptor that it gets blocking.
    input = openSync("/dev/tty", constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    throw new BridgeError("usage", "there is no terminal to ask for the passphrase on", {
      hint: "use --passphrase-fd N",
    });
  }
  const echo = (word: string) => runToEnd({ words: [stty, word], env: process.env }, fd);
  const restore = () => {
    echo("echo");
    writeSync(fd, "\n");
  };
  const endBySignal = (_: string, number: number) => {
    restore();
    process.exit(128 + number);
  };
  for (const signal of endSignals) process.on(signal, endBySignal);
  try {
    echo("-echo");
    writeSync(fd, question);
    return await readLine(input);
  } finally {
    restore();
    for (const signal of endSignals) process.off(signal, endBySignal);
    closeSync(input);
    closeSync(fd);
  }
}

/** Asks a yes-or-no question on /dev/tty, even if stdin and stdout are redirected; undefined without a terminal. */
export async function confirmOnTerminal(question: string): Promise<boolean | undefined> {
  let input: number;
  try {
    input = openSync("/dev/tty", constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    writeSync(input, `${question} [y/N] `);
    return /^y(?:es)?$/i.test((await readLine(input)).trim());
  } finally {
    closeSync(input);
  }
}

/** Writes a secret to /dev/tty, so that no redirected output holds it. Throws `usage` without a terminal. */
export function tellOnTerminal(text: string): void {
  let fd: number;
  try {
    fd = openSync("/dev/tty", "w");
  } catch {
    throw new BridgeError("usage", "there is no terminal to show the passphrase on");
  }
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Reads a line from a non-blocking terminal descriptor. */
async function readLine(fd: number): Promise<string> {
  const bytes = new Uint8Array(maxLineBytes);
  let length = 0;
  while (length < maxLineBytes) {
    let count: number;
    try {
      count = readSync(fd, bytes, length, 1, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      await Bun.sleep(pollMs);
      continue;
    }
    if (count === 0 || bytes[length] === 0x0a) break;
    length++;
  }
  return new TextDecoder().decode(bytes.subarray(0, length)).replace(/\r$/, "");
}
