// A client of the modern era that does not fall back, in front of a server of the legacy one.

import { abortable } from "../../platform/async.ts";
import { type Message, notificationOf, requestOf, responseTo } from "../../wire/message.ts";
import { metaKeys, revisionOf, statelessRevision } from "../core/stateless-protocol.ts";
import type { CallContext, Deliver, ServerScope, Stop, Upstream } from "../core/types.ts";
import { handshakeMs, sendWithin } from "../retry/deadline.ts";
import { discover, isStateless } from "./discover.ts";
import { StatelessClientCalls, unansweredError } from "./stateless-client-calls.ts";

interface StatelessClientOptions extends ServerScope {
  /** Finds the server's era for a client that initializes, and passes a modern one on. */
  readonly next: Upstream;
  /** Speaks the modern era with the server, trying once; undefined where the configuration excludes it. */
  readonly probe: Upstream | undefined;
  /** How an earlier run served a client of the session protocol; any text. */
  readonly remembered: () => unknown;
  /** Deadline of a call, where what is sent for none may not take longer either. */
  readonly timeoutMs: number;
}

/** One subscriptions/listen of the client. */
interface Listener {
  readonly id: string;
  readonly deliver: Deliver;
  /** Methods of the notifications that it wants. */
  readonly wants: ReadonlySet<string>;
  readonly uris: ReadonlySet<unknown>;
}

/** Notifications by the words of a subscription's filter. */
const changes: Readonly<Record<string, string>> = {
  toolsListChanged: "notifications/tools/list_changed",
  promptsListChanged: "notifications/prompts/list_changed",
  resourcesListChanged: "notifications/resources/list_changed",
};
const updated = "notifications/resources/updated";
const newestSessionRevision = "2025-11-25";

/** Passes everything on, until a modern request meets a server that only knows initialize. */
export class StatelessClientAdapter implements Upstream {
  readonly #options: StatelessClientOptions;
  readonly #calls: StatelessClientCalls;
  readonly #listeners = new Set<Listener>();
  readonly #closing = new AbortController();
  /** A client that initializes is never fronted: nothing of its messages is looked at here. */
  #isSessionClient = false;
  /** Whether the client is fronted; undefined until a modern request needs to know. */
  #isStatelessClient: Promise<boolean> | undefined;
  #session: Promise<Message> | undefined;

  constructor(options: StatelessClientOptions) {
    this.#options = options;
    this.#calls = new StatelessClientCalls(options.next, this.#closing.signal);
  }

  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const { next, probe } = this.#options;
    const { kind, method } = message.head;
    if (kind === "request" && method === "initialize") this.#isSessionClient = true;
    if (this.#isSessionClient) return next.send(message, deliver, signal, call);
    const isUndecided = this.#isStatelessClient === undefined && kind === "request";
    if (isUndecided && revisionOf(message) !== undefined) {
      // A client that asks which revisions there are can fall back by itself, where the answer may pass.
      if (method === "server/discover" && probe !== undefined)
        return next.send(message, (said) => this.#overhear(said, deliver), signal, call);
      this.#isStatelessClient = this.#decide(message);
    }
    const isStatelessClient =
      this.#isStatelessClient !== undefined && (await abortable(this.#isStatelessClient, signal));
    if (!isStatelessClient) return next.send(message, deliver, signal, call);
    if (kind === "request") await this.#serve(message, deliver, signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing.abort({ by: "closing" } satisfies Stop);
    return this.#options.next.close(deadlineMs);
  }

  #overhear(said: Message, deliver: Deliver): Promise<void> {
    if (said.head.kind === "response" && isStateless(said))
      this.#isStatelessClient = Promise.resolve(false);
    return deliver(said);
  }

  async #decide(message: Message): Promise<boolean> {
    const { probe, ids, remembered } = this.#options;
    const transport = remembered();
    // What serves a legacy client by Streamable HTTP may serve a modern one itself.
    if (probe === undefined || transport === "sse") return true;
    if (transport === "stateless-http") return false;
    const found = discover(probe, ids, identityIn(message), this.#closing.signal);
    found.catch(() => {
      this.#isStatelessClient = undefined;
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

  /** Makes the handshake the client knows nothing of; one that fails is made anew by the next request. */
  async #initialize(message: Message): Promise<Message> {
    const { log, name } = this.#options;
    const { clientInfo, capabilities } = identityIn(message);
    const params = `{"protocolVersion":"${newestSessionRevision}","capabilities":${capabilities},"clientInfo":${clientInfo}}`;
    try {
      const answer = await this.#request("initialize", params);
      log.info("fronting a server of the legacy era", { server: name });
      await this.#send(notificationOf("notifications/initialized"));
      void this.#hear();
      return answer;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }

  async #request(method: string, params: string): Promise<Message> {
    const { name, ids } = this.#options;
    let answer: Message | undefined;
    const take: Deliver = async (said) => {
      if (said.head.kind === "response") answer = said;
    };
    await this.#send(requestOf(ids.next("front"), method, params), take);
    if (answer === undefined || answer.head.isError === true) throw unansweredError(name);
    return answer;
  }

  /** Sends what no call's deadline bounds. */
  #send(message: Message, take: Deliver = async () => undefined): Promise<void> {
    const ms = handshakeMs(this.#options.timeoutMs);
    return sendWithin(ms, this.#options, message, take, this.#closing.signal);
  }

  /** What the server says by itself goes to those who subscribed to it. */
  async #hear(): Promise<void> {
    const { next, log, name } = this.#options;
    const take: Deliver = async (said) => {
      const { kind, method } = said.head;
      if (kind === "request") return this.#calls.ask(said);
      const uri = method === updated ? said.value(["params", "uri"]) : undefined;
      for (const listener of this.#listeners)
        if (method === updated ? listener.uris.has(uri) : listener.wants.has(method ?? ""))
          await listener.deliver(marked(said, listener.id));
    };
    await next.listen(take, this.#closing.signal).catch((error) => {
      log.debug("not listening", { server: name, error: String(error?.message) });
    });
  }

  /** Holds a subscription open until the client lets it go. */
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
    await deliver(marked(notificationOf("notifications/subscriptions/acknowledged", params), id));
    await abortable(Promise.withResolvers<void>().promise, signal).catch(() => undefined);
    this.#listeners.delete(listener);
    const others = [...this.#listeners];
    const unwanted = uris.filter((uri) => !others.some((other) => other.uris.has(uri)));
    await each("resources/unsubscribe", unwanted).catch(() => undefined);
  }
}

/** The client as a modern request tells of it, as JSON text. */
function identityIn(message: Message) {
  const meta = (key: string) => message.text(["params", "_meta", key]);
  return {
    clientInfo: meta(metaKeys.clientInfo) ?? '{"name":"unknown","version":"0"}',
    capabilities: meta(metaKeys.capabilities) ?? "{}",
  };
}

/** `said` with the id of its subscription. */
function marked(said: Message, id: string): Message {
  const path = ["params", "_meta", "io.modelcontextprotocol/subscriptionId"];
  const params = said.view(["params"]) === undefined ? [{ path: ["params"], raw: "{}" }] : [];
  const meta = said.view(["params", "_meta"]) === undefined;
  return said.with([
    ...params,
    ...(meta ? [{ path: path.slice(0, 2), raw: "{}" }] : []),
    { path, raw: id },
  ]);
}

/** The result of server/discover that an initialize amounts to. */
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
