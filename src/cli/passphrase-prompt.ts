import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { programOnPath, runToEnd } from "../platform/exec.ts";
import { BridgeError } from "../wire/errors.ts";

/** A terminal takes no longer line (N_TTY_BUF_SIZE). */
const maxLength = 4096;
/** The interval at which the terminal is read. */
const pollMs = 20;
const endSignals = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/** Reads the first line from an open file descriptor. Throws `usage`. */
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

/** Asks on the terminal itself, whatever stdin and stdout are, without showing what is typed. Throws `usage` without a terminal. */
export async function askPassphrase(question: string): Promise<string> {
  const stty = programOnPath("stty", process.env.PATH);
  if (stty === undefined) {
    throw new BridgeError("usage", "there is no program stty, which keeps a passphrase unseen", {
      hint: "use --passphrase-fd N",
    });
  }
  let fd: number;
  let input: number;
  try {
    fd = openSync("/dev/tty", "r+");
    // Non-blocking, so that a signal handler can run while we read and turn the echo on again. A descriptor of its own,
    // because stty makes the one that it is given blocking.
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
  const end = (_: string, number: number) => {
    restore();
    process.exit(128 + number);
  };
  for (const signal of endSignals) process.on(signal, end);
  try {
    echo("-echo");
    writeSync(fd, question);
    return await readLine(input);
  } finally {
    restore();
    for (const signal of endSignals) process.off(signal, end);
    closeSync(input);
    closeSync(fd);
  }
}

/** Asks for a yes on the terminal itself, whatever stdin and stdout are; undefined without a terminal. */
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

/** Writes to the terminal itself: a secret stands in no output that a program may have redirected. Throws `usage` without a terminal. */
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

async function readLine(fd: number): Promise<string> {
  const bytes = new Uint8Array(maxLength);
  let length = 0;
  while (length < maxLength) {
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
