/** What may stand behind an address: the whole world, this machine, or a network that strangers must not reach through us. */
export type Reach = "public" | "loopback" | "private";

/** As `Reach`; link-local addresses are told apart, for a cloud's metadata stand there. */
type Kind = Reach | "link-local";

/** IPv4 ranges that are not public: first address, prefix length (IANA special-purpose registry). */
const privateV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

function v4Number(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (parts === null) return undefined;
  const bytes = parts.slice(1).map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function kindOfV4(number: number): Kind {
  if (number >>> 24 === 127) return "loopback";
  if (number >>> 16 === 0xa9fe) return "link-local";
  const isPrivate = privateV4.some(([first, length]) => {
    const shift = 32 - length;
    return number >>> shift === (v4Number(first) ?? 0) >>> shift;
  });
  return isPrivate ? "private" : "public";
}

/** The eight groups of an IPv6 address; undefined where it is none. */
function groupsOf(text: string): number[] | undefined {
  const normal = URL.parse(`http://[${text.replace(/%.*$/, "")}]/`)?.hostname.slice(1, -1);
  if (normal === undefined) return undefined;
  const [head = "", tail] = normal.split("::");
  const read = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const left = read(head);
  const right = tail === undefined ? [] : read(tail);
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function kindOfV6(groups: readonly number[]): Kind {
  const [a = 0, b = 0, c = 0] = groups;
  const embedded = (at: number) =>
    kindOfV4(((groups[at] ?? 0) * 65536 + (groups[at + 1] ?? 0)) >>> 0);
  const isZero = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0);
  if (isZero(0, 7) && groups[7] === 1) return "loopback";
  if (isZero(0, 7) && groups[7] === 0) return "private";
  // Mapped, compatible and translated forms are judged by the IPv4 address they carry.
  if (isZero(0, 5) && (groups[5] === 0xffff || groups[5] === 0)) return embedded(6);
  if (isZero(0, 4) && groups[4] === 0xffff) return embedded(6);
  if (a === 0x64 && b === 0xff9b) return isZero(2, 6) ? embedded(6) : "private";
  if (a === 0x2002) return embedded(1);
  if (a === 0x2001 && (b === 0 || b === 0xdb8 || (b & 0xfff0) === 0x10)) return "private";
  if (a === 0x100 && b === 0 && c === 0) return "private";
  if (a === 0x3fff || a === 0x5f00) return "private";
  if ((a & 0xffc0) === 0xfe80) return "link-local";
  // fc00::/7 local, fec0::/10 site, ff00::/8 multicast; the world lives in 2000::/3.
  return (a & 0xe000) === 0x2000 ? "public" : "private";
}

function kindOf(host: string): Kind | undefined {
  const text = host.startsWith("[") ? host.slice(1, -1) : host;
  const number = v4Number(text);
  if (number !== undefined) return kindOfV4(number);
  if (!text.includes(":")) return undefined;
  const groups = groupsOf(text);
  return groups === undefined ? "private" : kindOfV6(groups);
}

/** Where a literal address leads; undefined where the text is a name. Brackets may stand. */
export function reachOf(host: string): Reach | undefined {
  const kind = kindOf(host);
  return kind === "link-local" ? "private" : kind;
}

/** Whether a literal address is of this very link (169.254.0.0/16, fe80::/10), in whatever form it is written. */
export function isLinkLocal(host: string): boolean {
  return kindOf(host) === "link-local";
}

/** Whether the name means this machine (RFC 6761 6.3). */
export function isLocalName(host: string): boolean {
  return /^(?:.*\.)?localhost\.?$/i.test(host);
}
