import { accessSync, constants, realpathSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { programOnPath } from "../platform/exec.ts";
import type { Environment } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import { program } from "../wire/program-facts.ts";
import type { Context } from "./command.ts";

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Absolute path of a program, with symlinks kept: a name without a slash is looked up on PATH. Undefined if not found there. */
export function programPath(name: string, env: Environment): string | undefined {
  const found = /[/\\]/.test(name) ? name : programOnPath(name, env.PATH);
  return found && resolve(found);
}

/**
 * The absolute path by which this process was started, with symlinks kept, because a symlink survives upgrades. The starter
 * may set `argv0` to any word: if `argv0` does not lead to this executable, the result is `execPath`.
 */
export function startedAs(argv0: string, execPath: string, env: Environment): string {
  const path = programPath(argv0, env);
  return path !== undefined && real(path) === real(execPath) ? path : execPath;
}

/** Whether the file exists and may be executed. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether the path, or its target, lies in a folder for temporary files. */
export function isTemporary(path: string, env: Environment): boolean {
  const folders = ["/tmp", "/var/tmp", "/dev/shm", "/private/tmp", env.TMPDIR ?? "/tmp"];
  return [path, real(path) ?? path].some((each) =>
    folders.some(
      (folder) => isAbsolute(folder) && each.startsWith(`${folder.replace(/\/$/, "")}/`),
    ),
  );
}

/** Path of the bridge's executable for a client's configuration: the `--command` option, else this program. Throws `usage`. */
export function bridgeExecutable(
  commandOption: string | undefined,
  { env, warn }: Pick<Context, "env" | "warn">,
): string {
  if (commandOption === undefined && program.target === undefined) {
    throw new BridgeError("usage", "the bridge runs from source, which no client can start", {
      hint: "build it with ./build.sh, or name the executable: --command PATH",
    });
  }
  const path =
    commandOption === undefined
      ? startedAs(process.argv0, process.execPath, env)
      : programPath(commandOption, env);
  if (path === undefined) {
    throw new BridgeError("usage", "--command: there is no such program on PATH", {
      hint: "give its absolute path",
    });
  }
  if (!isExecutable(path)) warn(`${path} is not an executable file on this machine`);
  if (isTemporary(path, env)) {
    warn(
      `${path} is in a folder for temporary files, which the system deletes: move it, then run this command again`,
    );
  }
  return path;
}
