import { statSync } from "node:fs";
import { BridgeError } from "../../wire/errors.ts";
import { nearest } from "../../wire/nearest-name.ts";
import { cleanText } from "../../wire/text.ts";
import { type Client, type ClientFolders, type ClientId, clients } from "./clients.ts";

/** Far above the size of real files; Claude Code's also contains its history. */
const maxBytes = 64 * 1024 * 1024;

/** Whether a client's file exists. Throws `configuration` if it is not a regular file, is unreadable or too large. */
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
    hint: "name another file, or check that path",
  });
}

/** The client with this id. Throws `usage` for an unknown id. */
export function clientNamed(id: ClientId): Client {
  const client = clients.get(id);
  if (client !== undefined) return client;
  throw unknownClient(id, [...clients.keys()]);
}

/** The error for a client that is none of `ids`. */
export function unknownClient(id: string, ids: readonly string[]): BridgeError {
  const near = nearest(id, ids);
  const question = near.length === 0 ? "" : `did you mean ${near.join(" or ")}? `;
  return new BridgeError("usage", `unknown client "${cleanText(id, 40)}"`, {
    hint: `${question}${question === "" ? "one" : "One"} of ${ids.join(", ")}`,
  });
}

/**
 * The client that owns a file: the path is one of the client's own files, or ends with the name of its project file.
 * Undefined if the file belongs to no known client.
 */
export function clientOfFile(path: string, folders: ClientFolders): Client | undefined {
  const list = [...clients.values()];
  const own = list.find((client) => client.files(folders).includes(path));
  if (own !== undefined) return own;
  return list.find(
    ({ projectFile }) => projectFile !== undefined && path.endsWith(`/${projectFile}`),
  );
}
