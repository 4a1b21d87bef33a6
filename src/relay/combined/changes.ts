// Announces changed lists to the client: one notification for a burst.
import type { Deliver } from "../../upstream/core/types.ts";
import { notificationOf } from "../../wire/message.ts";

/** Changes within this time are announced together. */
const burstMs = 100;

export class Changes {
  readonly #listeners = new Set<Deliver>();
  /** Methods of the notifications that are due. */
  readonly #due = new Set<string>();
  #timer: Timer | undefined;

  /** Adds a receiver of the announcements; the returned function removes it. Changes before the first receiver wait for it. */
  listen(deliver: Deliver): () => void {
    this.#listeners.add(deliver);
    this.#schedule();
    return () => void this.#listeners.delete(deliver);
  }

  /** Records a change; `method` is that of its notification. */
  note(method: string): void {
    this.#due.add(method);
    this.#schedule();
  }

  /** Forgets what is due: the client begins a new session and reads every list. */
  clear(): void {
    this.#due.clear();
  }

  #schedule(): void {
    if (this.#due.size === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#listeners.size === 0) return;
      const due = [...this.#due];
      this.#due.clear();
      for (const method of due)
        for (const deliver of this.#listeners)
          deliver(notificationOf(method)).catch(() => undefined);
    }, burstMs);
    this.#timer.unref();
  }
}
