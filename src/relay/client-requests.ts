import type { ClientFacts, Outgoing } from "../upstream/core/types.ts";
import { idKey, type Message, notificationOf, requestOf } from "../wire/message.ts";
import { isCodex } from "./client-facts.ts";
import { isReadable, tooLongError } from "./codex-limits.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Output } from "./output.ts";

/** Requests of the bridge's own to the client; their ids cannot be a server's. */
export class ClientRequests {
  readonly #client: ClientFacts;
  readonly #output: Output;
  readonly #deadlines: Deadlines;
  /** Made with the first question: few starts ask one. */
  #prefix: string | undefined;
  readonly #waiting = new Map<string, (answer: Message) => void>();
  #count = 0;

  constructor(client: ClientFacts, output: Output, deadlines: Deadlines) {
    this.#client = client;
    this.#output = output;
    this.#deadlines = deadlines;
  }

  /** Asks, and takes the question back on the signal; resolves to the client's response. Deadlines of calls stand still meanwhile. */
  async ask({ method, params }: Outgoing, signal: AbortSignal): Promise<Message> {
    if (signal.aborted) throw signal.reason;
    this.#prefix ??= `bridge-${crypto.randomUUID()}-`;
    const id = JSON.stringify(`${this.#prefix}${this.#count++}`);
    const clientRequest = requestOf(id, method, params);
    if (isCodex(this.#client) && !isReadable(clientRequest))
      throw tooLongError("question", clientRequest, "its server's operator can make it shorter");
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const abort = () => {
      reject(signal.reason);
      const told = `{"requestId":${id},"reason":"the request it belongs to has ended"}`;
      void this.#output.write(notificationOf("notifications/cancelled", told));
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.set(id, resolve);
    this.#deadlines.pause(id);
    try {
      await this.#output.write(clientRequest);
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(id);
      this.#deadlines.resume(id);
    }
  }

  /** Takes the client's response where it answers a question of ours, also a late one; false for any other. */
  take(response: Message): boolean {
    const id = idKey(response.head.id!);
    this.#waiting.get(id)?.(response);
    return this.#prefix !== undefined && id.startsWith(`"${this.#prefix}`);
  }
}
