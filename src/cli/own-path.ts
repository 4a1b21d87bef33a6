import { accessSync, constants, realpathSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import type { Environment } from "../platform/paths.ts";

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The path that a program's name means here: a path as it stands, a bare name through PATH. Absolute, symlinks kept. */
export function programPath(name: string, env: Environment): string | undefined {
  const found = /[/\\]/.test(name) ? name : Bun.which(name, { PATH: env.PATH ?? "" });
  return found === null ? undefined : resolve(found);
}

/**
 * The path by which this process was started, absolute, symlinks kept: they survive upgrades. `execPath`, which
 * has them resolved, where `argv0` does not lead to it (a caller may put any word there).
 */
export function startedAs(argv0: string, execPath: string, env: Environment): string {
  const path = programPath(argv0, env);
  return path !== undefined && real(path) === real(execPath) ? path : execPath;
}

/** Whether a file is there and may be executed. */
export function isExecutable(path: string): boolean {
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
