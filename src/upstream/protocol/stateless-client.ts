// Serves a client that speaks only the stateless protocol at a session server.

import { abortable } from "../../platform/async.ts";
import { type Message, notificationOf, requestOf, responseTo } from "../../wire/message.ts";
import {
  inSubscription,
  metaKeys,
  revisionOf,
  statelessRevision,
} from "../core/stateless-protocol.ts";
import type { CallContext, Deliver, ServerScope, Stop, Upstream } from "../core/types.ts";
import { handshakeMs, sendWithin } from "../retry/deadline.ts";
import { discover, isStateless, probeTimeoutMs } from "./discover.ts";
import { StatelessClientCalls, unansweredError } from "./stateless-client-calls.ts";

interface StatelessClientOptions extends ServerScope {
  /** Negotiates the protocol for a client that initializes, and passes stateless requests unchanged. */
  readonly next: Upstream;
  /** Speaks the stateless protocol with the server, without retries; undefined if the configuration excludes it. */
  readonly probe: Upstream | undefined;
  /** The transport by which an earlier run served a session client; may be any value. */
  readonly remembered: () => unknown;
  /** Deadline of a call; bounds the adapter's own requests, too. */
  readonly timeoutMs: number;
  /** Whether server/discover is answered for a session server, too; the client does not fall back by itself. */
  readonly answersDiscovery: boolean;
  /** Silence after which a server counts as a session server; default 5 s. */
  readonly probeMs?: number;
}

/** One subscriptions/listen of the client. */
interface Listener {
  readonly id: string;
  readonly deliver: Deliver;
  /** Methods of the notifications that the client subscribed to. */
  readonly wants: ReadonlySet<string>;
  readonly uris: ReadonlySet<unknown>;
}

/** Notification methods by the names in a subscription's filter. */
export const changes: Readonly<Record<string, string>> = {
  toolsListChanged: "notifications/tools/list_changed",
  promptsListChanged: "notifications/prompts/list_changed",
  resourcesListChanged: "notifications/resources/list_changed",
};
const updated = "notifications/resources/updated";
const newestSessionRevision = "2025-11-25";

/** Passes every message on, until a stateless request meets a server that speaks only the session protocol. */
export class StatelessClientAdapter implements Upstream {
  readonly #options: StatelessClientOptions;
  readonly #calls: StatelessClientCalls;
  readonly #listeners = new Set<Listener>();
  readonly #closing = new AbortController();
  /** Whether the client sent initialize: its messages then pass unread. */
  #isSessionClient = false;
  /** Whether the adapter translates for the client; undefined before the first stateless request. */
  #translates: Promise<boolean> | undefined;
  #session: Promise<Message> | undefined;

  constructor(options: StatelessClientOptions) {
    this.#options = options;
    this.#calls = new StatelessClientCalls(options.next, this.#closing.signal);
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { kind, method } = message.head;
    if (kind === "request" && method === "initialize") this.#isSessionClient = true;
    if (this.#isSessionClient) return this.#options.next.send(message, deliver, signal, call);
    return this.#sendStateless(message, deliver, signal, call);
  }

  async #sendStateless(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const { next, probe, answersDiscovery } = this.#options;
    const { kind, method } = message.head;
    const isUndecided = this.#translates === undefined && kind === "request";
    if (isUndecided && revisionOf(message) !== undefined) {
      // A client that asks for the server's revisions can fall back by itself, so its question passes to the server.
      if (method === "server/discover" && probe !== undefined && !answersDiscovery)
        return this.#passDiscovery(message, deliver, signal, call);
      this.#translates = this.#decide(message);
    }
    const translates =
      this.#translates !== undefined && (await abortable(this.#translates, signal));
    if (!translates) return next.send(message, deliver, signal, call);
    if (kind === "request") await this.#serve(message, deliver, signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing.abort({ by: "closing" } satisfies Stop);
    return this.#options.next.close(deadlineMs);
  }

  /** Passes the client's server/discover on. A server that is silent for the time of a probe counts as a session server: the client may not wait as long as the call's deadline. */
  async #passDiscovery(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const { next, probeMs = probeTimeoutMs } = this.#options;
    const late = AbortSignal.timeout(probeMs);
    let isAnswered = false;
    const take: Deliver = (incoming) => {
      isAnswered ||= incoming.head.kind === "response";
      if (isAnswered && isStateless(incoming)) this.#translates = Promise.resolve(false);
      return deliver(incoming);
    };
    try {
      return await next.send(message, take, AbortSignal.any([signal, late]), call);
    } catch (error) {
      if (!late.aborted || signal.aborted || isAnswered) throw error;
    }
    this.#translates ??= Promise.resolve(true);
    await this.#sendStateless(message, deliver, signal, call);
  }

  async #decide(message: Message): Promise<boolean> {
    const { probe, ids, remembered } = this.#options;
    const transport = remembered();
    // The server may speak both protocols, even if an earlier run used the session protocol.
    if (probe === undefined || transport === "sse") return true;
    if (transport === "stateless-http") return false;
    const found = discover(probe, ids, identityIn(message), this.#closing.signal);
    found.catch(() => {
      this.#translates = undefined;
    });
    return (await found).speaks === "session";
  }

  async #serve(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    this.#session ??= this.#initialize(message);
    const initialized = await abortable(this.#session, signal);
    if (message.head.method === "server/discover")
      return deliver(responseTo(message.head.id!, discovered(initialized)));
    if (message.head.method === "subscriptions/listen")
      return this.#listen(message, deliver, signal);
    await this.#calls.send(message, deliver, signal, call);
  }

  /** Makes the session's handshake on the client's behalf. After a failed handshake, the next request makes another one. */
  async #initialize(message: Message): Promise<Message> {
    const { log, name } = this.#options;
    const { clientInfo, capabilities } = identityIn(message);
    const params = `{"protocolVersion":"${newestSessionRevision}","capabilities":${capabilities},"clientInfo":${clientInfo}}`;
    try {
      const answer = await this.#request("initialize", params);
      log.info("translating for a session server", { server: name });
      await this.#send(notificationOf("notifications/initialized"));
      void this.#listenToServer();
      return answer;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }

  async #request(method: string, params: string): Promise<Message> {
    const { name, ids } = this.#options;
    let answer: Message | undefined;
    const take: Deliver = async (incoming) => {
      if (incoming.head.kind === "response") answer = incoming;
    };
    await this.#send(requestOf(ids.next("session"), method, params), take);
    if (answer === undefined || answer.head.isError === true) throw unansweredError(name);
    return answer;
  }

  /** Sends a message of the adapter's own, which no call's deadline bounds. */
  #send(message: Message, take: Deliver = async () => undefined): Promise<void> {
    const ms = handshakeMs(this.#options.timeoutMs);
    return sendWithin(ms, this.#options, message, take, this.#closing.signal);
  }

  /** Delivers messages from the server's listening stream to the subscriptions that want them. */
  async #listenToServer(): Promise<void> {
    const { next, log, name } = this.#options;
    const take: Deliver = async (incoming) => {
      const { kind, method } = incoming.head;
      if (kind === "request") return this.#calls.ask(incoming);
      const uri = method === updated ? incoming.value(["params", "uri"]) : undefined;
      for (const listener of this.#listeners)
        if (method === updated ? listener.uris.has(uri) : listener.wants.has(method ?? ""))
          await listener.deliver(inSubscription(incoming, listener.id));
    };
    await next.listen(take, this.#closing.signal).catch((error) => {
      log.debug("not listening", { server: name, error: String(error?.message) });
    });
  }

  /** Serves one subscriptions/listen until the client cancels it. */
  async #listen(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const filter = message.value(["params", "notifications"]) as
      | { readonly [name: string]: unknown; readonly resourceSubscriptions?: unknown }
      | undefined;
    const wants = Object.keys(changes).filter((word) => filter?.[word] === true);
    const asked = filter?.resourceSubscriptions;
    const uris: unknown[] = Array.isArray(asked) ? asked : [];
    const id = message.head.id!;
    const methods = new Set(wants.map((word) => changes[word]!));
    const listener: Listener = { id, deliver, wants: methods, uris: new Set(uris) };
    const each = (method: string, some = uris) =>
      Promise.all(some.map((uri) => this.#request(method, JSON.stringify({ uri }))));
    await each("resources/subscribe");
    this.#listeners.add(listener);
    const agreed = message.text(["params", "notifications"]) ?? "{}";
    const params = `{"notifications":${agreed}}`;
    await deliver(
      inSubscription(notificationOf("notifications/subscriptions/acknowledged", params), id),
    );
    await abortable(Promise.withResolvers<void>().promise, signal).catch(() => undefined);
    this.#listeners.delete(listener);
    const others = [...this.#listeners];
    const unwanted = uris.filter((uri) => !others.some((other) => other.uris.has(uri)));
    await each("resources/unsubscribe", unwanted).catch(() => undefined);
  }
}

/** The client's name and capabilities from the `_meta` of a stateless request, as JSON text. */
function identityIn(message: Message) {
  const meta = (key: string) => message.text(["params", "_meta", key]);
  return {
    clientInfo: meta(metaKeys.clientInfo) ?? '{"name":"unknown","version":"0"}',
    capabilities: meta(metaKeys.capabilities) ?? "{}",
  };
}

/** Builds a server/discover result from the server's answer to initialize. */
function discovered(initialized: Message): string {
  const serverInfo = initialized.text(["result", "serverInfo"]);
  const instructions = initialized.text(["result", "instructions"]);
  const members = [
    `"resultType":"complete","ttlMs":0,"cacheScope":"private"`,
    `"supportedVersions":["${statelessRevision}"]`,
    `"capabilities":${initialized.text(["result", "capabilities"]) ?? "{}"}`,
    ...(instructions === undefined ? [] : [`"instructions":${instructions}`]),
    ...(serverInfo === undefined ? [] : [`"_meta":{"${metaKeys.serverInfo}":${serverInfo}}`]),
  ];
  return `{${members.join(",")}}`;
}
