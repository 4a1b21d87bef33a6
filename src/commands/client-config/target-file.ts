import { existsSync, lstatSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import type { Context } from "../../cli/command.ts";
import { type Client, clientFolders } from "../../config/clients/clients.ts";
import { writeTarget } from "../../platform/files.ts";
import { BridgeError } from "../../wire/errors.ts";

/** The file to change: the project's, or the first existing one of the client's files. Throws `usage`. */
export function targetFile(client: Client, isProject: boolean, { env }: Context): string {
  if (!isProject) {
    const files = client.files(clientFolders(env));
    return files.find((path) => existsSync(path)) ?? files[0]!;
  }
  if (client.projectFile === undefined) {
    throw new BridgeError("usage", `${client.title} has no project configuration file`, {
      hint: "leave out --project",
    });
  }
  return projectFile(client.projectFile);
}

/**
 * Path of the client's project file in the current directory. Throws `configuration` if a symlink leads out of the
 * directory: otherwise a hostile repository could choose the file to overwrite.
 */
function projectFile(name: string): string {
  const folder = realpathSync(process.cwd());
  let path = folder;
  for (const part of name.split("/")) {
    path = join(path, part);
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    const target = linkTarget(path);
    const isInside = target?.startsWith(`${folder}${sep}`) === true;
    if (isInside) continue;
    throw new BridgeError("configuration", `${path} is a symlink that leads out of the project`, {
      hint: "put a regular file there",
    });
  }
  return path;
}

/** The target of a symlink; undefined if the target's folder does not exist. */
function linkTarget(path: string): string | undefined {
  try {
    return writeTarget(path);
  } catch {
    return undefined;
  }
}
