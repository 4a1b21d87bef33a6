import { abortable } from "../../platform/async.ts";
import { isAnswerTo, type Message, requestOf } from "../../wire/message.ts";
import type { RequestIds } from "../core/request-ids.ts";
import { messageIn, readErrorText } from "./response-body.ts";
import { readsAsLost, type Session } from "./session-lost.ts";

interface ProbeOptions {
  readonly session: Session;
  readonly ids: RequestIds;
  /** Posts a message in the current session. */
  readonly post: (message: Message, signal: AbortSignal) => Promise<Response>;
}

/** Longest wait for the answer to a ping that asks for the session. */
const pingMs = 1000;
/** Sessions in a row whose loss rests on a ping alone, and so cost a new one each. */
const maxLost = 2;

/** Finds out with a ping whether the server has lost a session, for requests whose refusal says nothing about it. */
export class SessionProbe {
  readonly #options: ProbeOptions;
  /** Number of sessions that a ping found lost since a request in doubt was last accepted. */
  #lost = 0;
  #lostId: string | undefined;
  /** Number of sessions begun. A ping sent before the newest session began says nothing about it. */
  #begun = 0;
  #asked: { readonly id: string; readonly isLost: Promise<boolean> } | undefined;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** Whether a ping has found a session lost since a request that was in doubt was accepted. */
  get hasDoubts(): boolean {
    return this.#lost > 0;
  }

  /** Called before each initialize: a restarted server may give the new session the id of the lost one. */
  begin(): void {
    this.#lostId = undefined;
    this.#asked = undefined;
    this.#begun++;
  }

  /** Called when a request in doubt is accepted: a lost session was the reason of its refusals. */
  accepted(): void {
    this.#lost = 0;
  }

  /**
   * Whether the server does not know the session `id`, in which it refused a request; one ping asks for all requests under
   * way. A ping without an answer says nothing. Rejects with the signal's reason.
   */
  async isLost(id: string, signal: AbortSignal): Promise<boolean> {
    // Another request has found it lost, or has begun another session since.
    if (id === this.#lostId || id !== this.#options.session.id) return true;
    // A server may answer 404 to every ping: a new session for each refusal would be in vain.
    if (this.#lost === maxLost) return false;
    if (this.#asked?.id !== id) {
      const asked = { id, isLost: this.#ask(id) };
      this.#asked = asked;
      void asked.isLost.finally(() => {
        if (this.#asked === asked) this.#asked = undefined;
      });
    }
    return abortable(this.#asked.isLost, signal);
  }

  /** Never rejects. */
  async #ask(id: string): Promise<boolean> {
    const { ids, post } = this.#options;
    const begun = this.#begun;
    const ping = requestOf(ids.next("session"), "ping");
    try {
      const response = await post(ping, AbortSignal.timeout(pingMs));
      const text = await readErrorText(response);
      const found = messageIn(text);
      // A JSON-RPC error for the ping itself, such as -32601, is an answer within the session, unless it names that.
      const isAnswer =
        found !== undefined && isAnswerTo([ping.head.id!], found) && !readsAsLost(400, text);
      const isLost = !isAnswer && [404, 410].includes(response.status);
      if (begun !== this.#begun) return isLost;
      this.#lost = isLost ? this.#lost + 1 : 0;
      if (isLost) this.#lostId = id;
      return isLost;
    } catch {
      return false;
    }
  }
}
