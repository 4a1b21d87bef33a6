import { abortable } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import { type Message, notificationOf } from "../../wire/message.ts";
import { cleanText } from "../../wire/text.ts";
import { inSubscription } from "../core/stateless-protocol.ts";
import type { Deliver, Upstream } from "../core/types.ts";

interface StandInOptions {
  readonly next: Upstream;
  /** Name of the server's entry. */
  readonly name: string;
  /** Delivers a message that belongs to no call, once the client listens. */
  readonly notify: Deliver;
}

/** A subscriptions/listen that the bridge accepted in the server's place. */
interface Subscription {
  readonly id: string;
  readonly deliver: Deliver;
  readonly wantsTools: boolean;
  readonly handOver: () => void;
}

/** Longest time for the handshake that the server gets late. */
const handshakeMs = 60_000;

/** The handshake of a client that the bridge answered in place of the server, until the server has got it, too. */
export class StandIn {
  readonly #options: StandInOptions;
  /** The client's initialize or server/discover. */
  #opening: Message | undefined;
  #initialized: Message | undefined;
  /** Whether the bridge itself answered the opening and the server has not received it yet. */
  isActive = false;
  #connecting: Promise<void> | undefined;
  readonly #subscriptions = new Set<Subscription>();

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  /** Whether the client has sent initialize, and so speaks the session protocol. */
  get hasInitialize(): boolean {
    return this.#opening?.head.method === "initialize";
  }

  /** Notes the messages of the client's handshake. */
  note(message: Message): void {
    const { kind, method } = message.head;
    if (kind === "notification" && method === "notifications/initialized")
      this.#initialized = message;
    if (kind !== "request" || (method !== "initialize" && method !== "server/discover")) return;
    this.#opening = message;
    this.#initialized = undefined;
    this.isActive = false;
  }

  /** Sends the client's handshake to the server if the server has not received it; concurrent callers share one attempt. */
  connect(): Promise<void> {
    this.#connecting ??= this.#introduce().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #introduce(): Promise<void> {
    const { next, name } = this.#options;
    if (!this.isActive || this.#opening === undefined) return;
    const signal = AbortSignal.timeout(handshakeMs);
    let response: Message | undefined;
    const take: Deliver = async (incoming) => {
      if (incoming.head.kind === "response") response = incoming;
    };
    await next.send(this.#opening, take, signal);
    // A session server answers server/discover with an error, and is there all the same.
    if (this.hasInitialize && (response === undefined || response.head.isError === true))
      throw refusedError(name, response);
    this.isActive = false;
    if (this.#initialized !== undefined) await next.send(this.#initialized, take, signal);
  }

  /** Tells the client that the server's own tools are there, and hands its subscriptions over to the server. */
  async announce(): Promise<void> {
    const changed = notificationOf("notifications/tools/list_changed");
    await this.#options.notify(changed);
    for (const { id, deliver, wantsTools, handOver } of this.#subscriptions) {
      if (wantsTools) await deliver(inSubscription(changed, id));
      handOver();
    }
  }

  /** Accepts subscriptions/listen in the server's place (MCP 2026-07-28 basic/utilities/subscriptions); the server gets it after announce(). */
  async subscribe(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const id = message.head.id!;
    const wanted = message.text(["params", "notifications"]) ?? "{}";
    const wantsTools = message.value(["params", "notifications", "toolsListChanged"]) === true;
    const acknowledged = "notifications/subscriptions/acknowledged";
    const { promise: handedOver, resolve: handOver } = Promise.withResolvers<void>();
    const subscription = { id, deliver, wantsTools, handOver };
    this.#subscriptions.add(subscription);
    try {
      const params = `{"notifications":${wanted}}`;
      await deliver(inSubscription(notificationOf(acknowledged, params), id));
      await abortable(handedOver, signal);
    } finally {
      this.#subscriptions.delete(subscription);
    }
    // The client has its acknowledgement, and a second one is an error for it.
    const more: Deliver = (incoming) =>
      incoming.head.method === acknowledged ? Promise.resolve() : deliver(incoming);
    await this.#options.next.send(message, more, signal);
  }
}

/** The error for a server that answered initialize with an error, or not at all. */
export function refusedError(name: string, response: Message | undefined): BridgeError {
  const reason = response?.value(["error", "message"]);
  const why = typeof reason === "string" ? `: ${cleanText(reason, 500)}` : "";
  return new BridgeError("bad-answer", `server "${name}" refuses to initialize${why}`, {
    hint: "ask the server's operator",
  });
}
