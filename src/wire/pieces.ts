/** This many pieces are joined on the way: a piece costs more than the few bytes it may hold. */
const manyPieces = 1024;

/** Bytes that come in pieces and are joined in the end, in memory that grows with the bytes and not with the pieces. */
export class Pieces {
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

  /** All there is, in one piece; begins anew. */
  take(): Uint8Array {
    this.length = 0;
    // Nearly always there is one.
    if (this.#loose.length === 1 && this.#joined.length === 0) return this.#loose.pop()!;
    const loose = this.#loose;
    this.#loose = [];
    if (this.#joined.length === 0) return Buffer.concat(loose);
    const all = Buffer.concat([...this.#joined, ...loose]);
    this.#joined = [];
    return all;
  }
}
