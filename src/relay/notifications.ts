import { CountedLog } from "../platform/counted-log.ts";
import type { Log } from "../platform/log.ts";
import type { Deliver, Stop, Upstream } from "../upstream/core/types.ts";
import { asBridgeError } from "../wire/errors.ts";
import { Message } from "../wire/message.ts";
import { within } from "./timeout.ts";

interface NotificationsOptions {
  readonly upstream: Upstream;
  readonly log: Log;
  /** Longest that one message may take. */
  readonly timeoutMs: number;
  /** Takes notifications and requests of the server that belong to no call. */
  readonly fromServer: Deliver;
}

/** How long messages may take to arrive once the client has closed its end. */
const graceMs = 1000;

/** What passes beside the calls: messages of the client that have no answer, and what the server says by itself. */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #underWay = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  readonly #strayAnswers: CountedLog;
  readonly #undelivered: CountedLog;
  /** Ends what is heard in the present handshake; undefined before it was begun. */
  #hearing: AbortController | undefined;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#strayAnswers = new CountedLog(options.log, "warn", "answer to nothing dropped");
    this.#undelivered = new CountedLog(options.log, "warn", "not delivered");
  }

  /** Sends a message that has no answer; resolves when the server has it, or it failed, which is only logged. */
  send(message: Message): Promise<void> {
    const sent = this.#send(message).finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
    return sent;
  }

  /** Another handshake: what was heard in the one before ends. */
  renew(): void {
    this.#hearing?.abort({ by: "closing" } satisfies Stop);
    this.#hearing = undefined;
  }

  /** Waits for what is under way, `mostMs` and a second at most; then nothing passes any more. */
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

  /** Hears what the server says by itself, once in a handshake. */
  async #listen(): Promise<void> {
    if (this.#hearing !== undefined) return;
    this.#hearing = new AbortController();
    const { upstream, log } = this.#options;
    const signal = AbortSignal.any([this.#hearing.signal, this.#ended.signal]);
    try {
      await upstream.listen((incoming) => this.#take(incoming), signal);
    } catch (error) {
      if (!signal.aborted) log.warn("not listening", { error: asBridgeError(error).message });
    }
  }

  /** An answer outside of any call belongs to nobody. */
  async #take(message: Message): Promise<void> {
    const { fromServer } = this.#options;
    if (message.head.kind === "batch") {
      for (const part of message.elements()) if (part instanceof Message) await this.#take(part);
    } else if (message.head.kind === "response")
      this.#strayAnswers.note({ id: message.head.id!.slice(0, 64) });
    else await fromServer(message);
  }
}
