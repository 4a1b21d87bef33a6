import { dirname, resolve } from "node:path";
import type { Context } from "../../cli/command.ts";
import { clientNamed, clientOfFile, isClientFile } from "../../config/clients/client-file.ts";
import { type Client, clientFolders, clients } from "../../config/clients/clients.ts";
import { formatOf, readValue } from "../../config/clients/document.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { readUserFile } from "../codex-config/user-file.ts";

/** A configuration file of a client, or a team file. */
export interface Source {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  readonly value: unknown;
  /** The client that owns the file; undefined if the file belongs to no known client. */
  readonly client: Client | undefined;
}

async function readSource(path: string, client: Client | undefined): Promise<Source | undefined> {
  if (!isClientFile(path)) return undefined;
  const file = readUserFile(path);
  if (file === undefined) return undefined;
  const { text } = file;
  const value = await readValue(text, client?.format ?? formatOf(path), path);
  return { path, text, value, client };
}

/**
 * Reads the files in `files`; if empty, the configuration files of all clients, or of the client `from`. Throws
 * `configuration` if a file in `files`, or a file of `from`, cannot be read.
 */
export async function findSources(
  files: readonly string[],
  from: string | undefined,
  context: Context,
): Promise<Source[]> {
  const folders = clientFolders(context.env);
  const named = from === undefined ? undefined : clientNamed(from);
  if (files.length > 0) {
    const sources: Source[] = [];
    for (const path of new Set(files.map((file) => resolve(file)))) {
      const source = await readSource(path, named ?? clientOfFile(path, folders));
      if (source === undefined) {
        throw new BridgeError("configuration", `there is no file ${path}`, {
          hint: "without FILE, import reads the clients' own configuration files",
        });
      }
      sources.push(source);
    }
    return sources;
  }
  const wanted = named === undefined ? [...clients.values()] : [named];
  const sources: Source[] = [];
  for (const client of wanted) {
    for (const path of client.files(folders)) {
      const source = await readSource(path, client).catch((error) => {
        if (named !== undefined) throw error;
        // One client's broken file must not keep the other clients' servers from being imported.
        context.warn(`${client.title}: ${asBridgeError(error).message}`);
        return undefined;
      });
      if (source !== undefined) sources.push(source);
    }
  }
  return sources;
}

/** Returns a reader for the files that the source's entries refer to; relative paths start at the source's folder. */
export function fileReader(source: Source): (path: string) => string | undefined {
  return (path) => {
    try {
      const absolute = resolve(dirname(source.path), path);
      return isClientFile(absolute) ? readUserFile(absolute)?.text : undefined;
    } catch {
      return undefined;
    }
  };
}
