// How much of the servers' answers is in memory at once: limits hold for one message, and sixty may be read together.
import { abortable } from "../../platform/async.ts";

/** Over this, only the answer that has been read for the longest time is read on. */
const mostBytes = 128 * 1024 * 1024;
/** Answers below this are too small to be counted. */
const countedBytes = 1024 * 1024;

/** Those that hold something, the first of them the longest. */
const readers = new Set<ReadBudget>();
let heldBytes = 0;

/** One answer that is being read. */
export class ReadBudget {
  #bytes = 0;
  #resume: (() => void) | undefined;

  /** Notes what is held of it now. Undefined where reading may go on, else a promise that resolves when, or rejects with the signal's reason. */
  hold(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (bytes < countedBytes && this.#bytes === 0) return undefined;
    const isLess = bytes < this.#bytes;
    heldBytes += bytes - this.#bytes;
    this.#bytes = bytes;
    if (bytes === 0) readers.delete(this);
    else readers.add(this);
    if (isLess) resumeSome();
    if (this.#mayGoOn()) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resume = resolve;
    return abortable(promise, signal);
  }

  /** Nothing of it is held any more. */
  end(): void {
    heldBytes -= this.#bytes;
    this.#bytes = 0;
    if (readers.delete(this)) resumeSome();
  }

  #mayGoOn(): boolean {
    return this.#bytes === 0 || heldBytes <= mostBytes || readers.values().next().value === this;
  }

  /** Goes on where it waits and may. */
  static resume(readBudget: ReadBudget): void {
    if (!readBudget.#mayGoOn()) return;
    readBudget.#resume?.();
    readBudget.#resume = undefined;
  }
}

function resumeSome(): void {
  for (const readBudget of readers) ReadBudget.resume(readBudget);
}
