import { CountedLog } from "../platform/counted-log.ts";
import type { Log } from "../platform/log.ts";
import type { Deliver, Stop, Upstream } from "../upstream/core/types.ts";
import { asBridgeError } from "../wire/errors.ts";
import { Message } from "../wire/message.ts";
import { within } from "./timeout.ts";

interface NotificationsOptions {
  readonly upstream: Upstream;
  readonly log: Log;
  /** Deadline of one message. */
  readonly timeoutMs: number;
  /** Takes the server's notifications and requests that belong to no call. */
  readonly fromServer: Deliver;
}

/** How long messages may take to arrive once the client has closed stdin. */
const graceMs = 1000;

/** Messages outside of calls: the client's notifications and responses, and the server's listening stream. */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #underWay = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  readonly #strayAnswers: CountedLog;
  readonly #undelivered: CountedLog;
  /** Ends the listening stream of the current handshake; undefined before it begins. */
  #listening: AbortController | undefined;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#strayAnswers = new CountedLog(options.log, "warn", "answer to nothing dropped");
    this.#undelivered = new CountedLog(options.log, "warn", "not delivered");
  }

  /** Sends a message that has no answer. Resolves when the server has accepted it; a failure is only logged. */
  send(message: Message): Promise<void> {
    const sent = this.#send(message).finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
    return sent;
  }

  /** Ends the listening stream of the previous handshake. */
  renew(): void {
    this.#listening?.abort({ by: "closing" } satisfies Stop);
    this.#listening = undefined;
  }

  /** Waits for the messages under way, for `mostMs` but at most a second; then aborts everything. */
  async finish(mostMs: number): Promise<void> {
    if (this.#underWay.size > 0 && mostMs > 0)
      await within(Math.min(mostMs, graceMs), Promise.all(this.#underWay));
    this.#ended.abort({ by: "closing" } satisfies Stop);
  }

  async #send(message: Message): Promise<void> {
    const { upstream, timeoutMs } = this.#options;
    const closing = this.#ended.signal;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closing]);
      await upstream.send(message, (incoming) => this.#take(incoming), signal);
    } catch (error) {
      this.#undelivered.note({
        method: message.head.method,
        error: asBridgeError(error).message,
      });
    }
    if (message.head.method === "notifications/initialized") void this.#listen();
  }

  /** Listens to the server's own messages, once for each handshake. */
  async #listen(): Promise<void> {
    if (this.#listening !== undefined) return;
    this.#listening = new AbortController();
    const { upstream, log } = this.#options;
    const signal = AbortSignal.any([this.#listening.signal, this.#ended.signal]);
    try {
      await upstream.listen((incoming) => this.#take(incoming), signal);
    } catch (error) {
      if (!signal.aborted) log.warn("not listening", { error: asBridgeError(error).message });
    }
  }

  /** Passes on a message that belongs to no call; a response is dropped. */
  async #take(message: Message): Promise<void> {
    const { fromServer } = this.#options;
    if (message.head.kind === "batch") {
      for (const part of message.elements()) if (part instanceof Message) await this.#take(part);
    } else if (message.head.kind === "response")
      this.#strayAnswers.note({ id: message.head.id!.slice(0, 64) });
    else await fromServer(message);
  }
}
