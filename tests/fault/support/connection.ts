import type { Socket } from "bun";

const encoder = new TextEncoder();

/** One accepted socket of the faulty server: writes wait for the kernel, and it ends with FIN or RST. */
export class Connection {
  readonly #socket: Socket<unknown>;
  #queue: Uint8Array[] = [];
  #drained: (() => void)[] = [];
  #ending = false;
  isClosed = false;
  /** Complete requests read on this socket. */
  requests = 0;

  constructor(socket: Socket<unknown>) {
    this.#socket = socket;
  }

  /** Resolves once the kernel has every byte, or the socket is closed. */
  write(data: string | Uint8Array): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.#queue.push(typeof data === "string" ? encoder.encode(data) : data);
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.pump();
    });
  }

  /** Called by the listener when the kernel takes bytes again. */
  pump(): void {
    while (this.#queue.length > 0 && !this.isClosed) {
      const head = this.#queue[0]!;
      const written = this.#socket.write(head);
      if (written < head.byteLength) {
        this.#queue[0] = head.subarray(Math.max(written, 0));
        return;
      }
      this.#queue.shift();
    }
    this.#release();
    if (this.#ending) this.#socket.end();
  }

  /** Closes after everything written so far (FIN). */
  end(): void {
    this.#ending = true;
    if (!this.isClosed) this.pump();
  }

  /** Closes at once with a reset (RST); bytes in the kernel may be lost. */
  reset(): void {
    if (!this.isClosed) this.#socket.terminate();
    this.closed();
  }

  /** Stops reading: bytes of the client pile up in the kernel. */
  freeze(): void {
    this.#socket.pause();
  }

  closed(): void {
    this.isClosed = true;
    this.#queue = [];
    this.#release();
  }

  #release(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}
