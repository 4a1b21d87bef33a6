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

  /** Whether one of the requests has exactly this id. */
  asks(id: string): boolean {
    return this.#waiting.includes(id);
  }

  /** Whether `message` answers one of the requests. */
  isAnswer({ head }: Message): boolean {
    return head.kind === "response" && this.#match(head.id!) >= 0;
  }

  /** Delivers a message and notes which request it answers. An array is taken apart where the client sent no batch: some servers put every answer into an array. */
  take(message: Message): Promise<void> {
    const { kind } = message.head;
    if (kind === "response") return this.#deliver(this.#noted(message));
    if (kind !== "batch") return this.#deliver(message);
    const parts = message.elements().filter((part) => part instanceof Message);
    if (!this.#isBatch) return this.#takeEach(parts);
    for (const part of parts) if (part.head.kind === "response") this.#noted(part);
    return this.#deliver(message);
  }

  async #takeEach(parts: readonly Message[]): Promise<void> {
    for (const part of parts) await this.take(part);
  }

  /** Notes that a request is answered; the response, with the id as the request has it. */
  #noted(response: Message): Message {
    const id = response.head.id!;
    const at = this.#match(id);
    if (at < 0) {
      if (!this.isDone) refuseNameless(response);
      return response;
    }
    const [asked] = this.#waiting.splice(at, 1) as [string];
    return asked === id ? response : response.with([{ path: ["id"], raw: asked }]);
  }

  #match(id: string): number {
    // Nearly every message is one request, whose answer repeats its id.
    if (this.#waiting[0] === id) return 0;
    const exact = this.#waiting.indexOf(id);
    if (exact >= 0) return exact;
    return this.#waiting.findIndex((asked) => isSameId(asked, id) || isOtherType(asked, id));
  }
}

/** Whether a server made a string of a number, or a number of a string. */
function isOtherType(requestId: string, responseId: string): boolean {
  if (responseId === "null") return false;
  return requestId === `"${responseId}"` || responseId === `"${requestId}"`;
}
