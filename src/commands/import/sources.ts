import { dirname, resolve } from "node:path";
import type { Context } from "../../cli/command.ts";
import { clientNamed, clientOfFile, isClientFile } from "../../config/clients/client-file.ts";
import { type Client, clients, placesOf } from "../../config/clients/clients.ts";
import { formatOf, readValue } from "../../config/clients/document.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { readUserFile } from "../codex-config/user-file.ts";

/** A configuration file that holds servers. */
export interface Source {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  readonly value: unknown;
  /** The client whose file it is; undefined for a file that nobody is known by. */
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

/** The files that were named, or those of the clients of this machine. Throws `configuration` for one that was named. */
export async function findSources(
  files: readonly string[],
  from: string | undefined,
  context: Context,
): Promise<Source[]> {
  const places = placesOf(context.env);
  const named = from === undefined ? undefined : clientNamed(from);
  if (files.length > 0) {
    const sources: Source[] = [];
    for (const path of new Set(files.map((file) => resolve(file)))) {
      const source = await readSource(path, named ?? clientOfFile(path, places));
      if (source === undefined) {
        throw new BridgeError("configuration", `there is no file ${path}`, {
          hint: "without a FILE, import looks where the clients keep theirs",
        });
      }
      sources.push(source);
    }
    return sources;
  }
  const wanted = named === undefined ? [...clients.values()] : [named];
  const sources: Source[] = [];
  for (const client of wanted) {
    for (const path of client.files(places)) {
      const source = await readSource(path, client).catch((error) => {
        if (named !== undefined) throw error;
        // The other clients' files are good all the same.
        context.warn(`${client.title}: ${asBridgeError(error).message}`);
        return undefined;
      });
      if (source !== undefined) sources.push(source);
    }
  }
  return sources;
}

/** Reads a file that an entry names, such as a client's information: absolute, or beside the entry's file. */
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
