import { isSameId, Message } from "../../wire/message.ts";
import type { Deliver } from "../core/types.ts";
import { refuseNameless } from "./response-body.ts";

/** The requests of one POST that are not answered yet; delivers their answers. */
export class PendingResponses {
  /** Ids as written. */
  readonly #waiting: string[];
  readonly #isBatch: boolean;
  readonly #deliver: Deliver;

  constructor(asked: Message, deliver: Deliver) {
    this.#waiting = asked.requestIds();
    this.#isBatch = asked.head.kind === "batch";
    this.#deliver = deliver;
  }

  get isDone(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether `message` answers one of the requests. */
  isAnswer({ head }: Message): boolean {
    return head.kind === "response" && this.#match(head.id!) >= 0;
  }

  /** Delivers a message and notes which request it answers. An array is taken apart where the client sent no batch: some servers put every answer into an array. */
  take(message: Message): Promise<void> {
    const { kind } = message.head;
    if (kind === "response") this.#note(message);
    if (kind !== "batch") return this.#deliver(message);
    const parts = message.elements().filter((part) => part instanceof Message);
    if (!this.#isBatch) return this.#takeEach(parts);
    for (const part of parts) if (part.head.kind === "response") this.#note(part);
    return this.#deliver(message);
  }

  async #takeEach(parts: readonly Message[]): Promise<void> {
    for (const part of parts) await this.take(part);
  }

  #note(response: Message): void {
    const at = this.#match(response.head.id!);
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (!this.isDone) refuseNameless(response);
  }

  #match(id: string): number {
    // Nearly every message is one request, whose answer repeats its id.
    return this.#waiting[0] === id ? 0 : this.#waiting.findIndex((asked) => isSameId(asked, id));
  }
}
