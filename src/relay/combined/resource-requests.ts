// Requests about a resource or a template: the URI leads to the server.
import type { CallContext, Deliver } from "../../upstream/core/types.ts";
import { errorTo, type Message } from "../../wire/message.ts";
import type { Member } from "./member.ts";
import type { MemberCalls } from "./member-calls.ts";
import type { ResourceRoutes } from "./resources.ts";

const invalidParams = -32602;
const encoder = new TextEncoder();

export class ResourceRequests {
  readonly #resources: ResourceRoutes;
  readonly #calls: MemberCalls;

  constructor(resources: ResourceRoutes, calls: MemberCalls) {
    this.#resources = resources;
    this.#calls = calls;
  }

  /** Sends a request to the server of the URI at `path`; if no server listed or mentioned the URI, to one after another. */
  async send(
    message: Message,
    path: string[],
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const shown = message.value(path);
    if (typeof shown !== "string") {
      const error = {
        code: invalidParams,
        message: `Invalid params: no ${path.slice(1).join(".")}`,
      };
      return deliver(errorTo(message.head.id!, error));
    }
    const route = this.#resources.find(shown);
    if (route === undefined)
      return this.#calls.sendInTurn(this.#resources.candidates(shown), message, deliver, signal, {
        isFinal: (answer) => answer.head.isError !== true,
        call,
        onAnswer: (member) => noteSubscription(member, message, shown, shown),
      });
    const { member, uri } = route;
    const own = message.replaced(message.view(path)!, encoder.encode(JSON.stringify(uri)));
    const watched: Deliver = (incoming) => {
      if (incoming.head.isError === false) noteSubscription(member, message, uri, shown);
      return deliver(incoming);
    };
    await this.#calls.send(member, own, watched, signal, call, { own: uri, shown });
  }
}

function noteSubscription(member: Member, { head }: Message, own: string, shown: string): void {
  if (head.method === "resources/subscribe") member.subscribed.set(own, shown);
  else if (head.method === "resources/unsubscribe") member.subscribed.delete(own);
}
