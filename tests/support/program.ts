import { join } from "node:path";

const binary = process.env.BRIDGE_BIN;

/** The words that start the program: the compiled binary where BRIDGE_BIN names one, else the source. */
export const programWords: readonly string[] =
  binary === undefined || binary === ""
    ? [process.execPath, join(import.meta.dir, "../../bridge.ts")]
    : [binary];

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Reads the output of a child process to its end, and waits for its exit code. */
export async function endOf(child: Bun.ReadableSubprocess): Promise<Ended> {
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

export interface RunOptions {
  /** The whole environment; PATH is added. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  /** The words that start the program, if it is another one than that of `programWords`. */
  readonly program?: readonly string[];
}

/** Runs the program to its end; stdin is empty unless given. */
export async function runProgram(words: readonly string[], options: RunOptions): Promise<Ended> {
  await using child = Bun.spawn([...(options.program ?? programWords), ...words], {
    env: { PATH: process.env.PATH ?? "", ...options.env },
    stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  return await endOf(child);
}
