// A client of the legacy era in front of a server of the modern one (MCP 2026-07-28 basic/versioning).
import { errorTo, type Message, responseTo } from "../../wire/message.ts";
import type { Ask, CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";
import { sendParts } from "../transport/split-batch.ts";
import { type Discovery, initializeAnswer } from "./discover.ts";
import { sendWithInputRequests } from "./input-requests.ts";
import { type Identity, identityOf, mayCarryMeta, metaMembers, withMeta } from "./request-meta.ts";
import { Subscriptions } from "./subscriptions.ts";

interface SessionClientOptions extends ServerScope {
  /** Speaks the stateless protocol. */
  readonly next: Upstream;
  readonly ask: Ask;
}

/** Notifications of the legacy era that a modern server has no use for. */
const dropped = [
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed",
];

const noObject = 'Invalid Request: "params" is not an object';

/** Answers what the modern era no longer has, and gives every request what it now must carry. */
export class SessionClientAdapter implements Upstream {
  readonly #options: SessionClientOptions;
  readonly #subscriptions: Subscriptions;
  #identity: Identity = { clientInfo: "{}", capabilities: "{}" };
  /** JSON text. */
  #logLevel: string | undefined;

  constructor(options: SessionClientOptions) {
    this.#options = options;
    this.#subscriptions = new Subscriptions({ ...options, meta: () => this.#meta() });
  }

  /** Answers initialize from what the server said of itself. */
  async start(initialize: Message, discovery: Discovery & { mode: "stateless" }, deliver: Deliver) {
    const { name, log } = this.#options;
    this.#identity = identityOf(initialize);
    this.#subscriptions.declare(discovery.answer.value(["result", "capabilities"]));
    await deliver(initializeAnswer(initialize, discovery, name));
    if (!discovery.answer.head.isError)
      log.info("connected", { server: name, protocol: "stateless" });
  }

  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const { kind, method } = message.head;
    if (kind === "batch") {
      await sendParts(message, (part) => this.send(part, deliver, signal, call));
    } else if (kind === "notification") {
      if (dropped.includes(method!) || !mayCarryMeta(message)) return;
      await this.#options.next.send(withMeta(message, this.#meta()), deliver, signal, call);
    } else if (kind === "request") {
      const own = await this.#answerOf(message);
      if (own !== undefined) await deliver(own);
      else await this.#forward(message, deliver, signal, call);
    }
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#subscriptions.run(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  #meta(): string {
    return metaMembers(this.#identity, this.#logLevel);
  }

  /** The answer to what the bridge answers itself. */
  async #answerOf(message: Message): Promise<Message | undefined> {
    const { method } = message.head;
    const id = message.head.id!;
    if (!mayCarryMeta(message)) return errorTo(id, { code: -32600, message: noObject });
    switch (method) {
      case "ping":
        return responseTo(id, "{}");
      case "logging/setLevel":
        this.#logLevel = message.text(["params", "level"]);
        return responseTo(id, "{}");
      case "resources/subscribe":
      case "resources/unsubscribe": {
        const uri = message.value(["params", "uri"]);
        const isWanted = method === "resources/subscribe";
        const refusal =
          typeof uri === "string" ? await this.#subscriptions.change(uri, isWanted) : undefined;
        return refusal?.with([{ path: ["id"], raw: id }]) ?? responseTo(id, "{}");
      }
      default:
        return undefined;
    }
  }

  #forward(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { capabilities } = this.#identity;
    const request = withMeta(message, this.#meta());
    const options = { ...this.#options, capabilities, call };
    return sendWithInputRequests(request, options, deliver, signal);
  }
}
