import { RequestIds } from "../upstream/core/request-ids.ts";
import { type ClientFacts, isCodex, type Outgoing } from "../upstream/core/types.ts";
import { idKey, type Message, notificationOf, requestOf } from "../wire/message.ts";
import type { Call } from "./call.ts";
import { isReadable, tooLongError } from "./codex-limits.ts";
import { maxPauseMs } from "./deadlines.ts";
import type { Output } from "./output.ts";

/** A request to the client that waits for its answer, or whose answer is on its way to the server. */
interface Pending {
  readonly askedAt: number;
  takeAnswer(answer: Message): void;
  /** Called when the server cancels its request, or no answer came for too long. */
  withdraw(): void;
}

interface ClientRequestsOptions {
  readonly client: ClientFacts;
  readonly output: Output;
  readonly now: () => number;
  /** Sends the client's response to the server; resolves when the server has accepted it or the sending failed. */
  readonly reply: (answer: Message) => Promise<void>;
}

/** Most requests at a time that wait for the client or whose answer is on its way to the server. */
export const maxPending = 1000;

/** Requests of the bridge and of the server to the client. Each gets an id allotted here, since two servers may use the same id. */
export class ClientRequests {
  readonly #options: ClientRequestsOptions;
  readonly #ids = new RequestIds();
  /** By allotted id. */
  readonly #pending = new Map<string, Pending>();
  /** Allotted ids of the server's requests, by the server's id. */
  readonly #allotted = new Map<string, string>();

  constructor(options: ClientRequestsOptions) {
    this.#options = options;
  }

  /** Whether the limit is reached, after dropping requests that nobody answered for ten minutes. */
  get isFull(): boolean {
    if (this.#pending.size < maxPending) return false;
    const now = this.#options.now();
    for (const pending of this.#pending.values())
      if (now - pending.askedAt > maxPauseMs) pending.withdraw();
    return this.#pending.size >= maxPending;
  }

  /** Sends a request of the bridge to the client and cancels it on the signal; resolves to the client's response. */
  async ask({ method, params }: Outgoing, signal: AbortSignal): Promise<Message> {
    if (signal.aborted) throw signal.reason;
    const { client, output } = this.#options;
    const id = this.#ids.next("ask");
    const request = requestOf(id, method, params);
    if (isCodex(client) && !isReadable(request))
      throw tooLongError("question", request, "its server's operator can make it shorter");
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const abort = () => {
      reject(signal.reason);
      const why = `{"requestId":${id},"reason":"the request it belongs to has ended"}`;
      void output.write(notificationOf("notifications/cancelled", why));
    };
    signal.addEventListener("abort", abort, { once: true });
    const withdraw = () => void this.#pending.delete(id);
    this.#pending.set(id, { askedAt: this.#options.now(), takeAnswer: resolve, withdraw });
    try {
      await output.write(request);
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#pending.delete(id);
    }
  }

  /** Passes a request of the server to the client. The deadline of `call`, on whose stream it came, is paused until the client answers; without `call` it came on the listening stream. */
  forward(request: Message, call: Call | undefined): Promise<void> {
    const { output, reply, now } = this.#options;
    const own = request.head.id!;
    const id = this.#ids.next("ask");
    const resume = call?.pause();
    const withdraw = () => {
      resume?.();
      this.#pending.delete(id);
      if (this.#allotted.get(idKey(own)) === id) this.#allotted.delete(idKey(own));
    };
    let isAnswered = false;
    const takeAnswer = (answer: Message) => {
      if (isAnswered) return;
      isAnswered = true;
      resume?.();
      // It counts until the server has the answer, which limits a server that asks but accepts no answers.
      void reply(answer.with([{ path: ["id"], raw: own }])).finally(withdraw);
    };
    this.#pending.set(id, { askedAt: now(), takeAnswer, withdraw });
    this.#allotted.set(idKey(own), id);
    return output.write(request.with([{ path: ["id"], raw: id }]));
  }

  /** Forgets the server's requests of a session that the client has left: its answers must not reach the next session. */
  endSession(): void {
    for (const id of [...this.#allotted.values()]) this.#pending.get(id)?.withdraw();
  }

  /** Takes a response of the client; false if it answers no pending request. */
  take(response: Message): boolean {
    const pending = this.#pending.get(idKey(response.head.id!));
    pending?.takeAnswer(response);
    return pending !== undefined;
  }

  /** Translates the server's cancellation of its request to the allotted id; undefined if that request is not pending. */
  cancelled(notification: Message): Message | undefined {
    const own = notification.text(["params", "requestId"]);
    const id = own === undefined ? undefined : this.#allotted.get(idKey(own));
    if (id === undefined) return undefined;
    this.#pending.get(id)?.withdraw();
    return notification.with([{ path: ["params", "requestId"], raw: id }]);
  }
}
