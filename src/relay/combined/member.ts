import { abortable } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import { pauses } from "../../upstream/catalog/lists.ts";
import type {
  CallContext,
  ClientFacts,
  Deliver,
  Stop,
  Upstream,
} from "../../upstream/core/types.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { isSameId, type Message, notificationOf } from "../../wire/message.ts";
import { readRevision } from "../client-facts.ts";
import { type Introduction, introductionOf } from "./introduction.ts";

/** One server of a combined run, as it is opened. */
export interface CombinedServer {
  readonly name: string;
  /** The server's chain, with limits of its own. */
  readonly upstream: Upstream;
  /** The client as this server knows it: with the revision that this server agreed to. */
  readonly client: ClientFacts;
  /** Deadline of a call. */
  readonly timeoutMs: number;
  /** Longest wait of a list for a server that is still connecting. */
  readonly connectTimeoutMs: number;
  /** Most bytes of one message. */
  readonly messageBytes: number;
  /** Adds the server's audit to another upstream; absent if the server has none. */
  readonly audit?: ((next: Upstream) => Upstream) | undefined;
}

/** First pause before another attempt to connect, as for a server whose catalog answers. */
const againMs = 5000;
const closing: Stop = { by: "closing" };

/** One server of a combined run: makes the client's handshake with it, as often as that is needed. */
export class Member {
  readonly name: string;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly messageBytes: number;
  /** What the server said of itself; undefined before its handshake, or for a stateless client. */
  introduction: Introduction | undefined;
  /** Why the last handshake failed. */
  failure: BridgeError | undefined;
  /** Whether the server has answered anything: lists then wait longer for it. */
  hasAnswered = false;
  /** Requests of the client that are under way at this server, with their progress tokens: JSON text, null without one, undefined before it is read. */
  readonly #calls = new Map<Message, string | null | undefined>();
  /** Resources that the client subscribed to: the URI that it used, by the server's URI. */
  readonly subscribed = new Map<string, string>();
  readonly #upstream: Upstream;
  readonly #client: ClientFacts;
  readonly #log: Log;
  readonly #fromServer: (member: Member, message: Message) => Promise<void>;
  /** The audit over calls that are not sent, and why each is not. */
  readonly #unsent: Upstream | undefined;
  readonly #reasons = new WeakMap<Message, unknown>();
  #initialize: Message | undefined;
  /** The log level that the client set, sent again after each handshake. */
  #logLevel: Message | undefined;
  #live: Promise<void> | undefined;
  #opened = Promise.withResolvers<void>();
  /** Whether the server has the client's handshake. */
  isConnected = false;
  /** Settles when the server has got `initialized`. */
  #initialized = Promise.resolve();
  #ended = new AbortController();

  /** `fromServer` takes what the server sends during the handshake and belongs to no call. */
  constructor(
    { name, upstream, client, audit, ...limits }: CombinedServer,
    log: Log,
    fromServer: (member: Member, message: Message) => Promise<void>,
  ) {
    this.name = name;
    this.timeoutMs = limits.timeoutMs;
    this.connectTimeoutMs = limits.connectTimeoutMs;
    this.messageBytes = limits.messageBytes;
    this.#upstream = upstream;
    this.#client = client;
    this.#log = log;
    this.#fromServer = fromServer;
    this.#unsent = audit?.({
      send: (call) => Promise.reject(this.#reasons.get(call)),
      listen: async () => undefined,
      close: async () => undefined,
    });
  }

  /** Begins the handshake of a client of the session protocol; a new one ends the one before. `initialize` has an id of ours. */
  start(initialize: Message): void {
    this.#ended.abort(closing);
    this.#ended = new AbortController();
    this.#initialize = initialize;
    this.#logLevel = undefined;
    this.#live = undefined;
    this.isConnected = false;
    this.#opened = Promise.withResolvers();
    this.introduction = undefined;
    this.failure = undefined;
    this.hasAnswered = false;
    this.subscribed.clear();
    void this.#keepTrying(this.#ended.signal);
  }

  /** Sends a request of the client; as `send`, and progress may come for it until it has ended. */
  call(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    this.#calls.set(message, undefined);
    const end = () => void this.#calls.delete(message);
    const fail = (error: unknown) => {
      end();
      throw error;
    };
    // `then` and not `finally`, which makes two promises more for each call.
    return this.send(message, deliver, signal, call).then(end, fail);
  }

  /** Whether a request under way asked for progress under this token (JSON text). */
  asksProgressAs(token: string): boolean {
    for (const [message, known] of this.#calls) {
      const own =
        known === undefined ? (message.text(["params", "_meta", "progressToken"]) ?? null) : known;
      this.#calls.set(message, own);
      if (own === token) return true;
    }
    return false;
  }

  /** Whether a request with this id (JSON text) is under way. */
  hasCall(id: string): boolean {
    return [...this.#calls.keys()].some(({ head }) => isSameId(head.id!, id));
  }

  /** Resolves once the server has the handshake. After a failure, each caller tries again. */
  connected(): Promise<void> {
    // A stateless client makes no handshake.
    if (this.#initialize === undefined) return Promise.resolve();
    this.#live ??= this.#handshake(this.#ended.signal).catch((error) => {
      this.#live = undefined;
      this.failure = asBridgeError(error);
      throw error;
    });
    return this.#live;
  }

  /** Resolves when some caller's attempt has connected; at once for a stateless client, which makes no handshake. */
  get opened(): Promise<void> {
    return this.#initialize === undefined ? Promise.resolve() : this.#opened.promise;
  }

  /** Sends a message after the handshake. Synchronous once that is done, so that messages keep their order. */
  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    if (this.#initialize === undefined || this.isConnected)
      return this.#upstream.send(message, deliver, signal, call);
    return this.#sendLate(message, deliver, signal, call);
  }

  async #sendLate(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    try {
      await abortable(this.connected(), signal);
    } catch (error) {
      if (message.head.method === "tools/call") await this.noteUnsent(message, error, signal, call);
      throw error;
    }
    await this.#upstream.send(message, deliver, signal, call);
  }

  /** Writes a call that is not sent because of `reason` to the server's audit. Rejects if there is an audit. */
  async noteUnsent(message: Message, reason: unknown, signal: AbortSignal, call?: CallContext) {
    this.#reasons.set(message, reason);
    await this.#unsent?.send(message, async () => undefined, signal, call);
  }

  /** Sets the level of the server's log messages, now and after each handshake. `message` has an id of ours. */
  setLogLevel(message: Message): void {
    this.#logLevel = message;
    if (this.isConnected) void this.#sendLogLevel(message, this.#ended.signal);
  }

  async #sendLogLevel(message: Message, signal: AbortSignal): Promise<void> {
    if (this.introduction?.capabilities["logging"] !== undefined) await this.#send(message, signal);
  }

  /** Sends a message of ours; a failure is only logged. */
  async #send(message: Message, signal: AbortSignal): Promise<void> {
    const take: Deliver = async (incoming) => {
      if (incoming.head.kind !== "response") await this.#fromServer(this, incoming);
    };
    await this.#upstream.send(message, take, signal).catch((error) => {
      const { method } = message.head;
      if (!signal.aborted)
        this.#log.warn("not delivered", {
          server: this.name,
          method,
          error: asBridgeError(error).message,
        });
    });
  }

  /** Delivers the server's own messages until the signal. */
  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await abortable(this.opened, signal);
    await abortable(this.#initialized, signal);
    await this.#upstream.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#ended.abort(closing);
    return this.#upstream.close(deadlineMs);
  }

  async #keepTrying(signal: AbortSignal): Promise<void> {
    const pause = pauses(againMs);
    while (!signal.aborted) {
      const failed = await this.connected().then(
        () => undefined,
        (error) => asBridgeError(error),
      );
      if (failed === undefined || signal.aborted) return;
      this.#log.warn("not connected yet", { server: this.name, error: failed.message });
      await abortable(pause(), signal).catch(() => undefined);
    }
  }

  async #handshake(signal: AbortSignal): Promise<void> {
    const answers: Message[] = [];
    await this.#upstream.send(
      this.#initialize!,
      async (incoming) => {
        if (incoming.head.kind === "response") answers.push(incoming);
        else await this.#fromServer(this, incoming);
      },
      signal,
    );
    const [answer] = answers;
    if (signal.aborted) throw signal.reason;
    if (answer === undefined || answer.head.isError === true) throw refusedError(this.name, answer);
    readRevision(this.#client, answer);
    this.introduction = introductionOf(
      this.name,
      answer.value(["result"]) as Record<string, unknown>,
    );
    this.failure = undefined;
    this.isConnected = true;
    // The client's own may come later, and a server that connects late would never get it. Not awaited: what is sent
    // from now on comes after it, and the catalog passes it on only when the server is there.
    this.#initialized = this.#send(notificationOf("notifications/initialized"), signal);
    this.#opened.resolve();
    if (this.#logLevel !== undefined) void this.#sendLogLevel(this.#logLevel, signal);
  }
}

function refusedError(name: string, answer: Message | undefined): BridgeError {
  const text = answer?.value(["error", "message"]);
  const why = typeof text === "string" ? `: ${text}` : "";
  return new BridgeError("server-error", `"${name}" refused to initialize${why}`, {
    hint: (command) => `see ${command(`test --server ${name}`)}`,
  });
}
