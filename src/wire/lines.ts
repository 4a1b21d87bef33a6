import { ByteChunks } from "./byte-chunks.ts";
import { headOf } from "./message.ts";
import { Scanner } from "./scan.ts";
import { ScanError } from "./scan-states.ts";

/** A line over the limit. Its bytes are dropped; its id is kept, so that the request can be answered with an error. */
export interface Oversize {
  readonly bytes: number;
  /** JSON text of the request id; undefined if the line is no request. */
  readonly id?: string;
}

/** Scans a line over the limit to its end in constant memory, because `id` may be the last member. */
class LongLine {
  #bytes = 0;
  #scanner: Scanner | undefined = new Scanner();

  feed(piece: Uint8Array): void {
    this.#bytes += piece.length;
    try {
      this.#scanner?.feed(piece);
    } catch (error) {
      if (!(error instanceof ScanError)) throw error;
      this.#scanner = undefined;
    }
  }

  end(): Oversize {
    const head = this.#scanner === undefined ? undefined : headOf(this.#scanner.envelope);
    const isRequest = head !== undefined && "kind" in head && head.kind === "request";
    return isRequest ? { bytes: this.#bytes, id: head.id! } : { bytes: this.#bytes };
  }
}

/**
 * Splits chunks into lines at 0x0A only; U+2028 and a bare CR are data. Line ends and blank lines are left out.
 * Each line is copied once; a line over `limit` bytes is returned as Oversize.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #pieces = new ByteChunks();
  #long: LongLine | undefined;
  #isFirst = true;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Returns the lines that end in `chunk`. */
  feed(chunk: Uint8Array): (Uint8Array | Oversize)[] {
    const lines: (Uint8Array | Oversize)[] = [];
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      this.#add(chunk.subarray(from, at));
      from = at + 1;
      this.#take(lines);
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
    return lines;
  }

  /** Returns the last line if the input ends without a line end. */
  end(): (Uint8Array | Oversize)[] {
    const lines: (Uint8Array | Oversize)[] = [];
    this.#take(lines);
    return lines;
  }

  #add(piece: Uint8Array): void {
    if (this.#long !== undefined) {
      this.#long.feed(piece);
      return;
    }
    this.#pieces.add(piece);
    if (this.#pieces.length <= this.#limit + 1) return;
    this.#long = new LongLine();
    this.#long.feed(this.#pieces.take());
  }

  #take(lines: (Uint8Array | Oversize)[]): void {
    const long = this.#long;
    this.#long = undefined;
    if (long !== undefined) {
      lines.push(long.end());
      return;
    }
    let line = this.#pieces.take();
    if (this.#isFirst && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf)
      line = line.subarray(3);
    this.#isFirst = false;
    if (line[line.length - 1] === 0x0d) line = line.subarray(0, -1);
    if (!isBlank(line)) lines.push(line);
  }
}

function isBlank(line: Uint8Array): boolean {
  for (let at = 0; at < line.length; at++) {
    const c = line[at];
    if (c !== 0x20 && c !== 0x09) return false;
  }
  return true;
}
