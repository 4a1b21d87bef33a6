import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { BridgeError } from "../wire/errors.ts";

const maxLength = 1024;

/** The first line of what an open file descriptor brings. Throws `usage`. */
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
export function askPassphrase(question: string): string {
  let fd: number;
  try {
    fd = openSync("/dev/tty", "r+");
  } catch {
    throw new BridgeError("usage", "there is no terminal to ask for the passphrase on", {
      hint: "use --passphrase-fd N",
    });
  }
  const echo = (word: string) =>
    Bun.spawnSync(["stty", word], { stdin: fd, stdout: "ignore", stderr: "ignore" });
  const restore = () => {
    echo("echo");
    process.exit(130);
  };
  process.on("SIGINT", restore);
  try {
    writeSync(fd, question);
    echo("-echo");
    const bytes = new Uint8Array(maxLength);
    let length = 0;
    while (
      length < maxLength &&
      readSync(fd, bytes, length, 1, null) === 1 &&
      bytes[length] !== 0x0a
    )
      length++;
    return new TextDecoder().decode(bytes.subarray(0, length)).replace(/\r$/, "");
  } finally {
    echo("echo");
    writeSync(fd, "\n");
    process.off("SIGINT", restore);
    closeSync(fd);
  }
}
