import { fs } from "./fs.ts";

/** Column `st` of an open connection. For a closed connection the kernel no longer reports the owner (proc_net_tcp.txt). */
const established = "01";

/** An IPv4 address in the notation of /proc/net/tcp: hex bytes in reverse order; undefined for another kind of address. */
function procAddress(address: string): string | undefined {
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
 * The user id of the socket that is connected from `address` and `port` to 127.0.0.1 at `toPort`; undefined if the
 * table, in the format of /proc/net/tcp or tcp6, lists no such open connection.
 */
export function ownerIn(
  table: string,
  { address, port }: { readonly address: string; readonly port: number },
  toPort: number,
): number | undefined {
  const from = procAddress(address);
  if (from === undefined) return undefined;
  const hexPort = (number: number) => number.toString(16).toUpperCase().padStart(4, "0");
  const endpoint = (hex: string, number: number) => `${hex}:${hexPort(number)}`;
  const isEndpoint = (text: string | undefined, expected: string) =>
    text === expected || text === `0000000000000000FFFF0000${expected}`;
  for (const line of table.split("\n")) {
    const [, local, remote, state, , , , uid] = line.trim().split(/\s+/);
    if (state !== established || !isEndpoint(local, endpoint(from, port))) continue;
    if (isEndpoint(remote, endpoint("0100007F", toPort))) return Number(uid);
  }
  return undefined;
}

/** The kernel's TCP tables; undefined if there are none, or if they do not show the owner of a connection. */
function readTables(): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    // Under WSL the browser runs on Windows, and a root process opens its connections.
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
 * Whether the user that runs this program opened the connection from `peer` to 127.0.0.1 at `toPort`; undefined if the
 * system does not report owners.
 */
export function isOwnConnection(
  peer: { readonly address: string; readonly port: number },
  toPort: number,
): boolean | undefined {
  const tables = readTables();
  return tables === undefined ? undefined : ownerIn(tables, peer, toPort) === process.geteuid?.();
}
