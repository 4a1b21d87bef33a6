import { BridgeError } from "../wire/errors.ts";
import { cleanText } from "../wire/text.ts";
import { isAbsolute } from "./path.ts";
import type { Environment } from "./paths.ts";
import type { Redactor } from "./redact.ts";

const separator = process.platform === "win32" ? ";" : ":";
/** Working directory of child processes: no other user can put a program there. */
const rootFolder = process.platform === "win32" ? "C:\\" : "/";
/** PATH of a child if no absolute entry is left: a shell reads an empty PATH as the current directory. */
const defaultPath = "/usr/bin:/bin";

/** PATH without relative entries, which depend on the current directory. */
function absoluteEntries(path: string | undefined): string {
  const folders = (path ?? "").split(separator).filter((folder) => isAbsolute(folder));
  return folders.join(separator);
}

/** Absolute path of a program, given as absolute path or as bare name in an absolute entry of `path`; undefined if not found. */
export function programOnPath(name: string, path: string | undefined): string | undefined {
  if (isAbsolute(name)) return Bun.which(name) ?? undefined;
  if (/[/\\]/.test(name)) return undefined;
  return Bun.which(name, { PATH: absoluteEntries(path) }) ?? undefined;
}

/** Command, environment and working directory of a child process. */
interface ChildCommand {
  readonly words: readonly [program: string, ...words: string[]];
  /** The child's whole environment; entries of PATH that are not absolute are removed. */
  readonly env: Environment;
  /** Working directory, not writable by other users; by default the root of the file system. */
  readonly cwd?: string;
}

/** Spawn options with which neither the bridge nor the child looks anything up in the current directory. */
function spawnOptions({ words, env, cwd = rootFolder }: ChildCommand) {
  if (!isAbsolute(words[0])) throw new TypeError(`${words[0]} is not an absolute path`);
  const PATH = absoluteEntries(env.PATH) || defaultPath;
  return { cmd: [...words], cwd, env: { ...env, PATH } as Record<string, string> };
}

/** Starts a child process. Only this function and `runToEnd` start processes. */
export function startChild<
  const In extends Bun.Spawn.Writable,
  const Out extends Bun.Spawn.Readable,
  const Err extends Bun.Spawn.Readable,
>(
  command: ChildCommand,
  options: Omit<Bun.Spawn.SpawnOptions<In, Out, Err>, "cwd" | "env">,
): Bun.Subprocess<In, Out, Err> {
  const all = { ...options, ...spawnOptions(command) };
  return Bun.spawn<In, Out, Err>(all as Bun.Spawn.SpawnOptions<In, Out, Err> & typeof all);
}

/** Runs a child process and waits for its exit synchronously; `stdin` is a file descriptor. */
export function runToEnd(command: ChildCommand, stdin: number): void {
  Bun.spawnSync({ ...spawnOptions(command), stdin, stdout: "ignore", stderr: "ignore" });
}

/** One run of a configured command, such as tokenCommand. */
export interface CommandRun {
  /** Name of the command in errors: `tokenCommand of server "crm"`. */
  readonly what: string;
  readonly argv: readonly string[];
  readonly home: string;
  readonly env: Environment;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** 10,000 by default. */
  readonly timeoutMs?: number;
}

const maxOutputBytes = 64 * 1024;
const maxErrorBytes = 4 * 1024;
/** Wait for further output after the program has exited: a daemon started by the program may keep the pipe open. */
const afterExitMs = 250;

/** The absolute path of a run's program. Throws `configuration` if the program is not found. */
function findProgram(run: CommandRun): string {
  const name = run.argv[0] ?? "";
  if (isAbsolute(name)) return name;
  const found = programOnPath(name, run.env.PATH);
  if (found !== undefined) return found;
  throw new BridgeError("configuration", `${run.what}: "${cleanText(name)}" is not in PATH`, {
    hint: "write the program's absolute path (Codex starts us with a reduced PATH)",
    safeToRetry: true,
  });
}

/** Reads a pipe to its end and keeps at most `max` bytes; calls `onOverflow` once if the pipe has more. */
async function drain(pipe: ReadableStream<Uint8Array>, max: number, onOverflow: () => void) {
  const kept: Uint8Array[] = [];
  let length = 0;
  let isOver = false;
  const text = () => new TextDecoder().decode(Buffer.concat(kept));
  const done = (async () => {
    for await (const chunk of pipe) {
      if (length < max) kept.push(chunk.subarray(0, max - length));
      length += chunk.length;
      if (length <= max || isOver) continue;
      isOver = true;
      onOverflow();
    }
  })();
  return { done, text };
}

/**
 * Runs a command without a shell, in the home folder, with stdin closed, and returns its stdout. The command's process
 * group is killed after 10 s or 64 KiB of output. Throws `configuration` with the command's cleaned stderr, or the signal's reason.
 */
export async function runCommand(run: CommandRun): Promise<string> {
  run.signal.throwIfAborted();
  const program = findProgram(run);
  const fail = (why: string, cause?: unknown) =>
    new BridgeError("configuration", `${run.what} ${why}`, {
      hint: "run the command in a shell to see what it needs",
      safeToRetry: true,
      cause,
    });
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    const command = {
      words: [program, ...run.argv.slice(1)],
      env: run.env,
      cwd: run.home,
    } as const;
    // A process group of its own, so that killGroup also kills the children of the command.
    const options = { stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true } as const;
    child = startChild(command, options);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw fail(`could not be started (${code})`, error);
  }
  // If the bridge exits first, nothing else stops the command.
  const onExit = () => killGroup(child.pid);
  process.on("exit", onExit);
  const timeoutMs = run.timeoutMs ?? 10_000;
  let stopped: unknown;
  const stop = (reason: unknown) => {
    stopped ??= reason;
    killGroup(child.pid);
  };
  const onAbort = () => stop(run.signal.reason);
  run.signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop(fail(`did not end within ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    const stdout = await drain(child.stdout, maxOutputBytes, () =>
      stop(fail("printed more than 64 KiB")),
    );
    const stderr = await drain(child.stderr, maxErrorBytes, () => {});
    const exitCode = await child.exited;
    const output = Promise.all([stdout.done, stderr.done]);
    await Promise.race([output, Bun.sleep(afterExitMs)]);
    if (stopped !== undefined) throw stopped;
    if (exitCode === 0) return stdout.text();
    const errorText = run.redactor.shown(stderr.text(), 500);
    const how = exitCode === null ? "was killed" : `failed with exit code ${exitCode}`;
    throw fail(errorText === "" ? how : `${how}: ${errorText}`);
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener("abort", onAbort);
    process.off("exit", onExit);
    // Nobody reads the output of processes that the program left in its group.
    killGroup(child.pid);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The process group has exited already.
  }
}
