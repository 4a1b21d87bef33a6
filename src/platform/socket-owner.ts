import { fs } from "./fs.ts";

/** `st` of a connection whose other end has not closed; a closed one no longer tells its owner (proc_net_tcp.txt). */
const established = "01";

/** An IPv4 address as /proc/net/tcp writes it: the bytes from last to first; undefined for any other address. */
function hexOf(address: string): string | undefined {
  const bytes = address
    .replace(/^::ffff:/i, "")
    .split(".")
    .map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255))) return undefined;
  return bytes
    .reverse()
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("")
    .toUpperCase();
}

/**
 * The user id of the socket that is connected from `address` and `port` to 127.0.0.1 at `toPort`, in a table of
 * /proc/net/tcp or tcp6; undefined where no open connection is listed.
 */
export function ownerIn(
  table: string,
  { address, port }: { readonly address: string; readonly port: number },
  toPort: number,
): number | undefined {
  const from = hexOf(address);
  if (from === undefined) return undefined;
  const hexPort = (number: number) => number.toString(16).toUpperCase().padStart(4, "0");
  const end = (hex: string, number: number) => `${hex}:${hexPort(number)}`;
  const isEnd = (text: string | undefined, expected: string) =>
    text === expected || text === `0000000000000000FFFF0000${expected}`;
  for (const line of table.split("\n")) {
    const [, local, remote, state, , , , uid] = line.trim().split(/\s+/);
    if (state !== established || !isEnd(local, end(from, port))) continue;
    if (isEnd(remote, end("0100007F", toPort))) return Number(uid);
  }
  return undefined;
}

/** The tables of the system; undefined where it has none, or hides who is behind a connection. */
function readTables(): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    // The browser of a WSL machine is outside: a process of root makes its connections.
    if (/microsoft/i.test(fs().readFileSync("/proc/sys/kernel/osrelease", "utf8")))
      return undefined;
    const tables = ["/proc/net/tcp", "/proc/net/tcp6"].filter((path) => fs().existsSync(path));
    if (tables.length === 0) return undefined;
    return tables.map((path) => fs().readFileSync(path, "utf8")).join("\n");
  } catch {
    return undefined;
  }
}

/**
 * Whether the user that runs this program made a connection to 127.0.0.1 at `toPort`; undefined where the system
 * does not tell.
 */
export function isOwnConnection(
  peer: { readonly address: string; readonly port: number },
  toPort: number,
): boolean | undefined {
  const tables = readTables();
  return tables === undefined ? undefined : ownerIn(tables, peer, toPort) === process.geteuid?.();
}
