import { ByteChunks } from "../../wire/byte-chunks.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";

/** Collects a body; in one allocation where its length is announced, so that a large body is in memory once. */
export class BodyBuffer {
  length = 0;
  readonly #limit: number;
  readonly #whole: Uint8Array | undefined;
  readonly #pieces = new ByteChunks();

  /** `announced`: the Content-Length, or NaN. */
  constructor(announced: number, limit: number) {
    this.#limit = limit;
    if (announced > limit) this.#refuse(announced);
    if (announced > 0) this.#whole = new Uint8Array(announced);
  }

  add(chunk: Uint8Array): Uint8Array {
    const at = this.length;
    this.length += chunk.length;
    if (this.length > this.#limit) this.#refuse(this.length);
    if (this.#whole === undefined) this.#pieces.add(chunk);
    else this.#whole.set(chunk, at);
    return chunk;
  }

  bytes(): Uint8Array {
    if (this.#whole !== undefined) return this.#whole.subarray(0, this.length);
    return this.#pieces.take();
  }

  #refuse(bytes: number): never {
    throw new BridgeError(
      "too-large",
      `the answer has ${bytes} bytes or more, the limit is ${this.#limit}`,
      {
        hint: settingHint('raise "limits.messageMB" of this server if that is expected'),
      },
    );
  }
}
