// Classifies IP addresses by the ranges of IANA's special-purpose registries (RFC 6890).

/** Where an address leads: to the public internet, to this machine, or to a network that strangers must not reach through the bridge. */
export type Reach = "public" | "loopback" | "private";

/** As `Reach`, with link-local addresses as a kind of their own, because cloud metadata services use them. */
type Kind = Reach | "link-local";

/** First address and prefix length. */
type Range = readonly [address: string, bits: number];

const loopback: readonly Range[] = [
  ["127.0.0.0", 8],
  ["::1", 128],
];
const linkLocal: readonly Range[] = [
  ["169.254.0.0", 16],
  ["fe80::", 10],
];
/** Where `allowHttp` lets plain http go: RFC 1918, carrier-grade NAT (RFC 6598), loopback, unique local addresses (RFC 4193). */
const privateNetworks: readonly Range[] = [
  ...loopback,
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
  ["fc00::", 7],
];
/** IPv6 form of an IPv4 address (RFC 4291 2.5.5.2), which leads to that address itself. */
const mapped: Range = ["::ffff:0:0", 96];
const specialV4: readonly Range[] = [
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
/** Public IPv6 addresses are allocated from this range (RFC 4291 2.4), except for the special ranges below. */
const globalV6: readonly Range[] = [["2000::", 3]];
const specialV6: readonly Range[] = [
  ["2001::", 32],
  ["2001:10::", 28],
  ["2001:db8::", 32],
  ["3fff::", 16],
];
/** IPv6 forms that carry an IPv4 address, and the first of the two groups that hold it: compatible, mapped, translated (RFC 2765), NAT64 (RFC 6052), 6to4 (RFC 3056). */
const carriers: readonly (readonly [...Range, group: number])[] = [
  ["::", 96, 6],
  ["::ffff:0:0", 96, 6],
  ["::ffff:0:0:0", 96, 6],
  ["64:ff9b::", 96, 6],
  ["2002::", 16, 1],
];

/** Loads `node:net` at the first use: a start does not need it. */
const net = () => process.getBuiltinModule("node:net");

/** 4 or 6 for a literal address without brackets, else 0. */
const versionOf = (text: string) => net().isIP(text);

/** Whether the text is a literal address of that IP version, without brackets. */
export function isAddress(text: string, version: 4 | 6): boolean {
  return versionOf(text) === version;
}

/** Whether a literal address lies in one of the ranges of its own IP version. Throws for a malformed range. */
function isInside(address: string, ranges: readonly Range[]): boolean {
  const version = versionOf(address);
  const list = new (net().BlockList)();
  for (const [first, bits] of ranges)
    if (versionOf(first) === version) list.addSubnet(first, bits, version === 4 ? "ipv4" : "ipv6");
  return list.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** Parses a network in CIDR notation; undefined for any other text. */
export function networkOf(text: string): Range | undefined {
  const [, address = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = versionOf(address);
  const bits = Number(length);
  return version === 0 || bits > (version === 4 ? 32 : 128) ? undefined : [address, bits];
}

/** Whether `host` is a literal address, with or without brackets, inside the network. */
export function isInNetwork(host: string, network: Range): boolean {
  const address = unbracketed(host);
  return versionOf(address) !== 0 && isInside(address, [network]);
}

/** An IPv6 address without the brackets it has in a URL. */
export function unbracketed(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

/** The IPv4 address that an IPv6 address carries. */
function carriedV4(address: string): string | undefined {
  const carrier = carriers.find(([first, bits]) => isInside(address, [[first, bits]]));
  if (carrier === undefined) return undefined;
  const groups = groupsOf(address);
  const bytes = groups
    .slice(carrier[2], carrier[2] + 2)
    .flatMap((group) => [group >> 8, group & 255]);
  return bytes.join(".");
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const shortest = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [left = [], right = []] = shortest
    .split("::")
    .map((part) => part.split(":").map((group) => Number.parseInt(group || "0", 16)));
  const missing = Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<number>(missing).fill(0), ...right];
}

function kindOf(host: string): Kind | undefined {
  // A zone (fe80::1%eth0) names a network card of this machine.
  const address = unbracketed(host).replace(/%.*$/, "");
  const version = versionOf(address);
  if (version === 0) return address.includes(":") ? "private" : undefined;
  if (isInside(address, loopback)) return "loopback";
  if (isInside(address, linkLocal)) return "link-local";
  if (version === 4) return isInside(address, specialV4) ? "private" : "public";
  const carried = carriedV4(address);
  if (carried !== undefined) return kindOf(carried);
  return isInside(address, globalV6) && !isInside(address, specialV6) ? "public" : "private";
}

/** Where a literal address leads; undefined if the text is a name. Brackets are allowed. */
export function reachOf(host: string): Reach | undefined {
  const kind = kindOf(host);
  return kind === "link-local" ? "private" : kind;
}

/** Whether a literal address is link-local (169.254.0.0/16, fe80::/10), in whatever form it is written. */
export function isLinkLocal(host: string): boolean {
  return kindOf(host) === "link-local";
}

/** Whether a literal address lies in a private network, or on this machine. Brackets are allowed; other forms that carry an IPv4 address are not. */
export function isPrivateNetwork(host: string): boolean {
  const address = unbracketed(host);
  // A zone (fe80::1%eth0) belongs to a link-local address.
  if (versionOf(address) === 0 || address.includes("%")) return false;
  const isMapped = versionOf(address) === 6 && isInside(address, [mapped]);
  return isInside((isMapped && carriedV4(address)) || address, privateNetworks);
}

/** Whether the name means this machine (RFC 6761 6.3). */
export function isLocalName(host: string): boolean {
  return /^(?:.*\.)?localhost\.?$/i.test(host);
}
