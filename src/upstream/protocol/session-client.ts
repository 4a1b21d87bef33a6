// Serves a client of the session protocol at a stateless server (MCP 2026-07-28 basic/versioning).
import { errorTo, type Message, responseTo } from "../../wire/message.ts";
import type { Ask, CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";
import { sendParts } from "../transport/split-batch.ts";
import { initializeAnswer } from "./discover.ts";
import { sendWithInputRequests } from "./input-requests.ts";
import { type Identity, identityOf, mayCarryMeta, metaMembers, withMeta } from "./request-meta.ts";
import { Subscriptions } from "./subscriptions.ts";

interface SessionClientOptions extends ServerScope {
  /** Speaks the stateless protocol. */
  readonly next: Upstream;
  readonly ask: Ask;
  /** Resolves once the server has accepted a credential other than the refused one. */
  readonly anotherCredential: (signal: AbortSignal) => Promise<void>;
}

/** Notifications that the stateless protocol does not have. */
const dropped = [
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed",
];

/** Log level, as JSON text, for a client that never calls logging/setLevel. */
const defaultLogLevel = '"info"';

const noObject = 'Invalid Request: "params" is not an object';

/** Answers the requests that the stateless protocol no longer has, and adds the required `_meta` to all others. */
export class SessionClientAdapter implements Upstream {
  readonly #options: SessionClientOptions;
  readonly #subscriptions: Subscriptions;
  #identity: Identity = { clientInfo: "{}", capabilities: "{}" };
  /** As JSON text. */
  #logLevel: string | undefined;

  constructor(options: SessionClientOptions) {
    this.#options = options;
    this.#subscriptions = new Subscriptions({ ...options, meta: () => this.#meta() });
  }

  /** Answers initialize from the server's `answer` to server/discover. */
  async start(initialize: Message, answer: Message, deliver: Deliver): Promise<void> {
    const { name, log } = this.#options;
    this.#identity = identityOf(initialize);
    const capabilities = answer.value(["result", "capabilities"]) as
      | { logging?: unknown }
      | undefined;
    this.#subscriptions.declare(capabilities);
    // A session server sends log messages unasked; a stateless server sends them only with requests that name a level.
    if (capabilities?.logging !== undefined) this.#logLevel = defaultLogLevel;
    await deliver(initializeAnswer(initialize, answer, name));
    if (!answer.head.isError) log.info("connected", { server: name, protocol: "stateless" });
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

  /** The bridge's own answer to a request that the stateless protocol does not have; undefined for any other request. */
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
