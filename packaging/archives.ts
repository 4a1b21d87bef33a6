// Reproducible archives: entries in the given order, one fixed time for all, no user or group names.

import { crc32, deflateRawSync, gzipSync } from "node:zlib";

/** A file of an archive. */
export interface Entry {
  /** Path inside the archive, with slashes, without a leading one. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Mode 0755 if true, else 0644. */
  readonly isExecutable?: boolean;
}

const encoder = new TextEncoder();

/** An entry with UTF-8 text. */
export const textEntry = (path: string, text: string): Entry => ({
  path,
  bytes: encoder.encode(text),
});

const modeOf = ({ isExecutable }: Entry) => (isExecutable === true ? 0o755 : 0o644);

/** All parent folders of the entries, without duplicates, parents first. */
function foldersOf(entries: readonly Pick<Entry, "path">[]): string[] {
  const folders = new Set<string>();
  for (const { path } of entries) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join("/"));
  }
  return [...folders].sort();
}

const blockBytes = 512;

/** A header block of a ustar archive (POSIX.1-1988). Throws if the path is longer than 100 bytes. */
function tarHeader(
  path: string,
  size: number,
  mode: number,
  type: "0" | "5",
  seconds: number,
  uid = 0,
): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (text: string, at: number, length: number) => {
    const bytes = encoder.encode(text);
    if (bytes.length > length) throw new Error(`too long for a tar header: ${text}`);
    block.set(bytes, at);
  };
  const octal = (value: number, length: number) =>
    `${value.toString(8).padStart(length - 1, "0")}\0`;
  put(path, 0, 100);
  put(octal(mode, 8), 100, 8);
  put(octal(uid, 8), 108, 8);
  put(octal(uid, 8), 116, 8);
  put(octal(size, 12), 124, 12);
  put(octal(seconds, 12), 136, 12);
  put("        ", 148, 8);
  put(type, 156, 1);
  put("ustar\x0000", 257, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

export interface TarOptions {
  /** Modification time of every entry, in seconds since 1970. */
  readonly seconds: number;
  /** Whether folders get entries of their own, which dpkg and OCI layers need. */
  readonly withFolders?: boolean;
  /** Prepended to every path, such as "./". */
  readonly prefix?: string;
  /** Folders that are empty, or whose mode is not 0755 or owner not root. */
  readonly folders?: readonly {
    readonly path: string;
    readonly mode: number;
    readonly uid?: number;
  }[];
}

/** A tar archive (ustar), owner root. */
export function tar(entries: readonly Entry[], options: TarOptions): Buffer {
  const { seconds, withFolders, prefix = "", folders = [] } = options;
  const pieces: Uint8Array[] = [];
  if (withFolders === true) {
    const own = new Set(folders.map(({ path }) => path));
    for (const folder of foldersOf([
      ...entries,
      ...folders.map(({ path }) => ({ path: `${path}/` })),
    ]))
      if (!own.has(folder)) pieces.push(tarHeader(`${prefix}${folder}/`, 0, 0o755, "5", seconds));
  }
  for (const { path, mode, uid } of folders)
    pieces.push(tarHeader(`${prefix}${path}/`, 0, mode, "5", seconds, uid));
  for (const entry of entries) {
    const { path, bytes } = entry;
    pieces.push(tarHeader(prefix + path, bytes.length, modeOf(entry), "0", seconds), bytes);
    pieces.push(new Uint8Array(-bytes.length & (blockBytes - 1)));
  }
  pieces.push(new Uint8Array(2 * blockBytes));
  return Buffer.concat(pieces);
}

/** RELEASE_EFFORT=quick makes a test release with minimal compression, in a tenth of the time. */
export const isQuick = process.env.RELEASE_EFFORT === "quick";

/** Level 9 takes three times as long as 6 and saves 0.2 %. */
const deflateLevel = isQuick ? 1 : 6;

/** gzip without a file name and time in its header (RFC 1952). */
export const gzip = (bytes: Uint8Array): Buffer => gzipSync(bytes, { level: deflateLevel });

/** 1980-01-01, the earliest date in a zip archive, in MS-DOS format. */
const zipDate = (1 << 5) | 1;

/** A zip archive (APPNOTE 6.3.3), deflated, with Unix modes; every entry is dated 1980-01-01. */
export function zip(entries: readonly Entry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = encoder.encode(entry.path);
    const data = deflateRawSync(entry.bytes, { level: deflateLevel });
    // Version 2.0, UTF-8 names, deflate, time 0:00, date, checksum and sizes.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt16LE(zipDate, 8);
    common.writeUInt32LE(crc32(entry.bytes), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(entry.bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, name, data]);
    // "Made by" Unix: the upper half of the external attributes is the file's mode.
    const central = Buffer.alloc(14);
    central.writeUInt32LE(((0o100000 | modeOf(entry)) << 16) >>> 0, 6);
    central.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, 3]);
    directory.push(
      Buffer.concat([Buffer.from("PK\x01\x02", "latin1"), madeBy, common, central, name]),
    );
    files.push(local);
    offset += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, list, end]);
}

/** An ar archive in the variant that dpkg reads (deb(5)); owner root, mode 0644. */
export function ar(entries: readonly Entry[], seconds: number): Buffer {
  const pieces: Uint8Array[] = [encoder.encode("!<arch>\n")];
  for (const { path, bytes } of entries) {
    const header = `${path.padEnd(16)}${String(seconds).padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`;
    pieces.push(encoder.encode(header), bytes);
    if (bytes.length % 2 === 1) pieces.push(encoder.encode("\n"));
  }
  return Buffer.concat(pieces);
}
