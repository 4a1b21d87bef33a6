import { RequestIds } from "../upstream/core/request-ids.ts";
import { type ClientFacts, isCodex, type Outgoing } from "../upstream/core/types.ts";
import { idKey, type Message, notificationOf, requestOf } from "../wire/message.ts";
import type { Call } from "./call.ts";
import { isReadable, tooLongError } from "./codex-limits.ts";
import { maxPauseMs } from "./deadlines.ts";
import type { Output } from "./output.ts";

/** A request that the client has not answered yet, or whose answer is on its way to the server. */
interface Pending {
  readonly askedAt: number;
  takeAnswer(answer: Message): void;
  /** Called when the server takes its request back, or nobody answered for too long. */
  withdraw(): void;
}

interface ClientRequestsOptions {
  readonly client: ClientFacts;
  readonly output: Output;
  readonly now: () => number;
  /** Sends a response of the client to the server that asked; resolves when the server has it, or it failed. */
  readonly reply: (answer: Message) => Promise<void>;
}

/** Requests that wait for the client at a time, those whose answer is still on its way to the server included. */
const maxPending = 1000;

/** Requests to the client, the bridge's own and the servers': each goes out under an id that is allotted here, since two servers may use the same. */
export class ClientRequests {
  readonly #options: ClientRequestsOptions;
  readonly #ids = new RequestIds();
  /** By the allotted id. */
  readonly #pending = new Map<string, Pending>();
  /** Allotted ids of a server's requests, by the server's own id. */
  readonly #allotted = new Map<string, string>();

  constructor(options: ClientRequestsOptions) {
    this.#options = options;
  }

  /** Whether as many requests wait as may; those that nobody answered for ten minutes are given up first. */
  get isFull(): boolean {
    if (this.#pending.size < maxPending) return false;
    const now = this.#options.now();
    for (const pending of this.#pending.values())
      if (now - pending.askedAt > maxPauseMs) pending.withdraw();
    return this.#pending.size >= maxPending;
  }

  /** Asks on behalf of the bridge and takes the question back on the signal; resolves to the client's response. */
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

  /** Passes a request of the server on. The deadline of `call`, on whose stream it came, stands still until the client answers; a request of the listening stream stops none. */
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
      // It counts until the server has the answer: a server that takes no answers may not ask for ever.
      void reply(answer.with([{ path: ["id"], raw: own }])).finally(withdraw);
    };
    this.#pending.set(id, { askedAt: now(), takeAnswer, withdraw });
    this.#allotted.set(idKey(own), id);
    return output.write(request.with([{ path: ["id"], raw: id }]));
  }

  /** Takes the client's response; false where it answers nothing that was asked. */
  take(response: Message): boolean {
    const pending = this.#pending.get(idKey(response.head.id!));
    pending?.takeAnswer(response);
    return pending !== undefined;
  }

  /** The server's cancellation of its own request, under the id that the client knows; undefined where nothing waits under it. */
  cancelled(notification: Message): Message | undefined {
    const own = notification.text(["params", "requestId"]);
    const id = own === undefined ? undefined : this.#allotted.get(idKey(own));
    if (id === undefined) return undefined;
    this.#pending.get(id)?.withdraw();
    return notification.with([{ path: ["params", "requestId"], raw: id }]);
  }
}
