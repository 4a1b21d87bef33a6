import type { CallContext, Deliver, Upstream } from "../upstream/core/types.ts";
import type { Message } from "../wire/message.ts";
import { ConcurrencyLimiter } from "./concurrency-limiter.ts";

/** More requests at a time would only open sockets that the pool does not keep. Reading from stdin goes on. */
const requestBounds = { places: 60, waiting: 10_000, waitingBytes: 256 * 1024 * 1024 };
/** A request may wait for a notification, so notifications have places of their own. */
const notificationBounds = { places: 30, waiting: 100_000, waitingBytes: 256 * 1024 * 1024 };
/** A call under way may wait for a response to the server's request, so responses have places of their own. */
const responseBounds = { places: 30, waiting: 10_000, waitingBytes: 256 * 1024 * 1024 };

/** Bounds the messages under way to one server and those that wait, so that several servers behind one relay do not slow each other down. */
export class ServerLimits implements Upstream {
  readonly #next: Upstream;
  readonly #requests = new ConcurrencyLimiter(requestBounds);
  readonly #notifications = new ConcurrencyLimiter(notificationBounds);
  readonly #responses = new ConcurrencyLimiter(responseBounds);

  constructor(next: Upstream) {
    this.#next = next;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const limiter = this.#limiterOf(message);
    if (limiter === undefined) return this.#next.send(message, deliver, signal, call);
    const leave = () => limiter.leave();
    const fail = (error: unknown) => {
      leave();
      throw error;
    };
    // `then` and not `finally`, which makes two promises more for each call.
    const pass = () => this.#next.send(message, deliver, signal, call).then(leave, fail);
    const turn = limiter.enter(message.bytes.length, signal);
    // Synchronous if a place is free: a request must not overtake the `initialized` before it.
    return turn === undefined ? pass() : turn.then(pass);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#next.close(deadlineMs);
  }

  /** Undefined for a cancellation, which frees a place, and for a subscription, which would keep one for ever. */
  #limiterOf({ head: { kind, method } }: Message): ConcurrencyLimiter | undefined {
    if (kind === "response") return this.#responses;
    if (kind === "notification")
      return method === "notifications/cancelled" ? undefined : this.#notifications;
    return method === "subscriptions/listen" ? undefined : this.#requests;
  }
}
