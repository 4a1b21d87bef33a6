import { asBridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import type { CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";

interface KeepAliveOptions extends ServerScope {
  readonly next: Upstream;
  /** Idle time after which a ping is sent. */
  readonly everyMs: number;
}

/** Pings an idle session server: servers and middleboxes drop sessions and connections that are silent for long (MCP 2025-11-25 basic/utilities/ping). */
export class KeepAlive implements Upstream {
  readonly #options: KeepAliveOptions;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    clearTimeout(this.#timer);
    try {
      await this.#options.next.send(message, deliver, signal, call);
    } finally {
      // No ping may be sent before `initialized`.
      if (this.#timer !== undefined || message.head.method === "notifications/initialized")
        this.#scheduleNext();
    }
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    return this.#options.next.close(deadlineMs);
  }

  #scheduleNext(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#ping(), this.#options.everyMs);
    // The timer must not keep the process alive.
    this.#timer.unref();
  }

  async #ping(): Promise<void> {
    const { next, everyMs, log, name, ids } = this.#options;
    const ping = requestOf(ids.next("ping"), "ping");
    try {
      await next.send(ping, async () => undefined, AbortSignal.timeout(everyMs));
    } catch (error) {
      log.debug("ping failed", { server: name, error: asBridgeError(error).message });
    }
    this.#scheduleNext();
  }
}
