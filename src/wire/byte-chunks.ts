/** Number of pieces after which they are joined: a typed array object needs more memory than the few bytes of a tiny piece. */
const manyPieces = 1024;

/** Collects bytes that arrive in pieces. Memory grows with the bytes, not with the number of pieces. */
export class ByteChunks {
  #joined: Uint8Array[] = [];
  #loose: Uint8Array[] = [];
  length = 0;

  /** Keeps `piece` itself: the caller must not write to it. */
  add(piece: Uint8Array): void {
    this.length += piece.length;
    this.#loose.push(piece);
    if (this.#loose.length < manyPieces) return;
    this.#joined.push(Buffer.concat(this.#loose));
    this.#loose = [];
  }

  /** Returns all bytes in one piece and starts again, empty. */
  take(): Uint8Array {
    this.length = 0;
    // The usual case is a single piece: no copy.
    if (this.#loose.length === 1 && this.#joined.length === 0) return this.#loose.pop()!;
    const loose = this.#loose;
    this.#loose = [];
    if (this.#joined.length === 0) return Buffer.concat(loose);
    const all = Buffer.concat([...this.#joined, ...loose]);
    this.#joined = [];
    return all;
  }
}
