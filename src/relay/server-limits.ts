import type { CallContext, Deliver, Upstream } from "../upstream/core/types.ts";
import type { Message } from "../wire/message.ts";
import { ConcurrencyLimiter } from "./concurrency-limiter.ts";

/** More requests under way would only open sockets that the pool does not keep; stdin is read all the same. */
const requestBounds = { places: 60, waiting: 10_000, waitingBytes: 256 * 1024 * 1024 };
/** Requests may wait for what a notification tells, so notifications have places of their own. */
const notificationBounds = { places: 30, waiting: 100_000, waitingBytes: 256 * 1024 * 1024 };
/** Responses to the server's own requests free calls under way, so they wait behind nothing else. */
const responseBounds = { places: 30, waiting: 10_000, waitingBytes: 256 * 1024 * 1024 };

/** Bounds what is under way to one server at a time, and what waits for a place: several servers behind one relay do not feel each other. */
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
    const pass = () => this.#next.send(message, deliver, signal, call).finally(leave);
    const turn = limiter.enter(message.bytes.length, signal);
    // Where a place is free nothing is waited for: the request behind `initialized` must not overtake it.
    return turn === undefined ? pass() : turn.then(pass);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#next.close(deadlineMs);
  }

  /** Undefined for a cancellation, which frees a place, and for a subscription, which would hold one for ever. */
  #limiterOf({ head: { kind, method } }: Message): ConcurrencyLimiter | undefined {
    if (kind === "response") return this.#responses;
    if (kind === "notification")
      return method === "notifications/cancelled" ? undefined : this.#notifications;
    return method === "subscriptions/listen" ? undefined : this.#requests;
  }
}
