import { asBridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import type { CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";

interface KeepAliveOptions extends ServerScope {
  readonly next: Upstream;
  /** A ping goes out after so long without a request. */
  readonly everyMs: number;
}

/** Pings an idle server of the legacy era, whose sessions (and the devices on the way) may forget the silent (MCP basic/utilities/ping). */
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
      // Nothing may be asked before `initialized` was said.
      if (this.#timer !== undefined || message.head.method === "notifications/initialized")
        this.#rest();
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

  #rest(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#ping(), this.#options.everyMs);
    // The process must not live for its pings.
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
    this.#rest();
  }
}
