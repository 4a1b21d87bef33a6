// Bounds the memory of all answers that are being read: `limits.messageMB` bounds one answer, and 60 may come at once.
import { abortable } from "../../platform/async.ts";

/** If the answers in memory exceed this, only the oldest is read further; the others wait. */
const mostBytes = 128 * 1024 * 1024;
/** Smaller answers are not counted. */
const countedBytes = 1024 * 1024;

/** The part of the budget that one answer uses. */
interface Share {
  bytes: number;
  /** Resumes the reading of the answer; undefined while it does not wait. */
  resume: (() => void) | undefined;
}

/** The memory that all answers of one process share. */
export class ReadBudget {
  /** The answers with bytes in memory, the oldest first. */
  readonly #shares = new Set<Share>();
  #heldBytes = 0;

  /** Begins the reading of one answer. */
  begin(): BudgetedRead {
    const share: Share = { bytes: 0, resume: undefined };
    return {
      hold: (bytes, signal) => this.#hold(share, bytes, signal),
      end: () => this.#end(share),
    };
  }

  #hold(share: Share, bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (bytes < countedBytes && share.bytes === 0) return undefined;
    const isLess = bytes < share.bytes;
    this.#heldBytes += bytes - share.bytes;
    share.bytes = bytes;
    if (bytes === 0) this.#shares.delete(share);
    else this.#shares.add(share);
    if (isLess) this.#resumeSome();
    if (this.#mayGoOn(share)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    share.resume = resolve;
    return abortable(promise, signal);
  }

  #end(share: Share): void {
    this.#heldBytes -= share.bytes;
    share.bytes = 0;
    if (this.#shares.delete(share)) this.#resumeSome();
  }

  #mayGoOn(share: Share): boolean {
    const [oldest] = this.#shares;
    return share.bytes === 0 || this.#heldBytes <= mostBytes || share === oldest;
  }

  #resumeSome(): void {
    for (const share of this.#shares)
      if (this.#mayGoOn(share)) {
        share.resume?.();
        share.resume = undefined;
      }
  }
}

/** One answer that is being read. */
export interface BudgetedRead {
  /** Records how many bytes of the answer are in memory. Undefined if reading may go on, else a promise that resolves when it may, and rejects with the signal's reason. */
  hold(bytes: number, signal: AbortSignal): Promise<void> | undefined;
  /** The answer's bytes have left memory. */
  end(): void;
}
