import { statSync } from "node:fs";
import { BridgeError } from "../../wire/errors.ts";
import { type Client, type ClientId, clients, type Places } from "./clients.ts";

/** More than any client writes; Claude Code keeps its history in the file, too. */
const maxBytes = 64 * 1024 * 1024;

/** Whether a file of a client is there to be read. Throws `configuration` for a folder, a pipe, or one that is too large. */
export function isClientFile(path: string): boolean {
  let size: number;
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw unfit(path, "is not a regular file");
    size = stats.size;
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw unfit(path, `cannot be read (${code})`);
  }
  if (size > maxBytes) throw unfit(path, `is larger than ${maxBytes / 1024 / 1024} MiB`);
  return true;
}

function unfit(path: string, problem: string): BridgeError {
  return new BridgeError("configuration", `${path} ${problem}`, {
    hint: "name another file, or look there by hand",
  });
}

/** The client of that name. Throws `usage`. */
export function clientNamed(id: ClientId): Client {
  const client = clients.get(id);
  if (client !== undefined) return client;
  throw new BridgeError("usage", "there is no client of that name", {
    hint: `one of ${[...clients.keys()].join(", ")}`,
  });
}

/** The client whose own or project file a path is, told by its end; undefined for any other file. */
export function clientOfFile(path: string, places: Places): Client | undefined {
  const list = [...clients.values()];
  const own = list.find((client) => client.files(places).includes(path));
  if (own !== undefined) return own;
  return list.find(
    ({ projectFile }) => projectFile !== undefined && path.endsWith(`/${projectFile}`),
  );
}
