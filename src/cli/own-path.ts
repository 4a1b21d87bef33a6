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

/** The path that a program's name means here: a path as it stands, a bare name through PATH. Absolute, symlinks kept. */
export function programPath(name: string, env: Environment): string | undefined {
  const found = /[/\\]/.test(name) ? name : programOnPath(name, env.PATH);
  return found && resolve(found);
}

/**
 * The path by which this process was started: absolute, symlinks kept, because they survive upgrades. A caller may set
 * `argv0` to any word: where that does not lead to this executable, the path is `execPath`, with symlinks resolved.
 */
export function startedAs(argv0: string, execPath: string, env: Environment): string {
  const path = programPath(argv0, env);
  return path !== undefined && real(path) === real(execPath) ? path : execPath;
}

/** Whether a file is there and may be executed. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a path leads into a folder that is emptied sooner or later. */
export function isTemporary(path: string, env: Environment): boolean {
  const folders = ["/tmp", "/var/tmp", "/dev/shm", "/private/tmp", env.TMPDIR ?? "/tmp"];
  return [path, real(path) ?? path].some((each) =>
    folders.some(
      (folder) => isAbsolute(folder) && each.startsWith(`${folder.replace(/\/$/, "")}/`),
    ),
  );
}

/** The bridge's executable as a client starts it: `named` (`--command PATH`), else this program. Throws `usage`. */
export function bridgeExecutable(
  named: string | undefined,
  { env, warn }: Pick<Context, "env" | "warn">,
): string {
  if (named === undefined && program.target === undefined) {
    throw new BridgeError("usage", "this is the source, which no client can start", {
      hint: "build it with ./build.sh, or name the executable: --command PATH",
    });
  }
  const path =
    named === undefined ? startedAs(process.argv0, process.execPath, env) : programPath(named, env);
  if (path === undefined) {
    throw new BridgeError("usage", "--command: there is no such program on PATH", {
      hint: "give its absolute path",
    });
  }
  if (!isExecutable(path)) warn(`${path} is no executable here`);
  if (isTemporary(path, env)) {
    warn(`${path} is in a folder that is emptied sooner or later: move it, then do this again`);
  }
  return path;
}
